const wanted: RegExp =
  /^(embed_tokens\.weight|norm\.weight|layers\.(0|[1-9]\d{0,3})\.[\w.]+\.weight|vision_tower\.(embeddings|encoder\.layers|post_layernorm)\.[\w.]+|multi_modal_projector\.(mm_input_projection_weight|mm_soft_emb_norm\.weight))$/

/**
 * The canonical form of all spellings in circulation: hub files of 2025 (`language_model.model.…`,
 * `vision_tower.vision_model.…`), HF ≥ 4.52 in memory (`model.language_model.…`), text-only (`model.…`, or nothing).
 * Undefined for what no part of the model needs: `lm_head.weight` (tied), SigLIP's unused head, …
 */
export function canonicalSafetensorsName(name: string): string | undefined {
  const canonical = name
    .replace(/^model\./, '')
    .replace(/^language_model\.(model\.)?/, '')
    .replace(/^vision_tower\.vision_model\./, 'vision_tower.')
  return wanted.test(canonical) ? canonical : undefined
}
