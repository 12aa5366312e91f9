/** WGSL that reads the planes of weight-layout.ts. */
import type { WeightType } from '@facetjs/core/backend'
import type { WeightLayout } from '../weight-layout.ts'
import { u32 } from './kernel.ts'

/** Eight consecutive values. Once a module. */
export const eightWgsl: string = 'struct Eight { low: vec4f, high: vec4f }'

/**
 * `fn <name>(row: u32, group: u32) -> Eight`: values 8 · group … of a row of the shard that `buffer` (array<u32>) holds.
 * Past the width, plain encodings have zeros.
 */
export function loadEightWgsl(name: string, buffer: string, { type, width, quantWords, scaleWords }: WeightLayout, rows: number): string {
  const scales = u32(rows * quantWords)
  const context = { buffer, blocks: u32(width / 32), quantWords: u32(quantWords), scales, scaleWords: u32(scaleWords) }
  return `fn ${name}(row: u32, group: u32) -> Eight {\n${bodies[type](context)}\n}`
}

interface Context {
  readonly buffer: string
  readonly blocks: string
  readonly quantWords: string
  readonly scales: string
  readonly scaleWords: string
}

const nibbles = `let low = vec4f(vec4u(word, word >> 4, word >> 8, word >> 12) & vec4u(15));
  let high = vec4f(vec4u(word >> 16, word >> 20, word >> 24, word >> 28) & vec4u(15));`

/** Block and word of the group, and the block's quants at `at`, `words` of them. */
const blockOf = ({ buffer, quantWords }: Context, words: number): string => `let block = group >> 2;
  let at = row * ${quantWords} + block * ${words}u;
  let word = ${buffer}[at + (group & 3)];`

const fifthBits = (buffer: string): string => `let bits = ${buffer}[at + 4] >> (8 * (group & 3));
  let fifth_low = vec4f((vec4u(bits, bits >> 1, bits >> 2, bits >> 3) & vec4u(1)) << vec4u(4));
  let fifth_high = vec4f((vec4u(bits >> 4, bits >> 5, bits >> 6, bits >> 7) & vec4u(1)) << vec4u(4));`

const simpleScale = ({ buffer, scales, blocks }: Context): string => `let scale = unpack2x16float(${buffer}[${scales} + row * ${blocks} + block]);`

/** Scale and minimum of a block of Q4_K and Q5_K. */
const subScale = ({ buffer, scales, scaleWords }: Context): string => `let super_block = ${scales} + row * ${scaleWords} + (block >> 3) * 5;
  let d = unpack2x16float(${buffer}[super_block]);
  let sub = ${buffer}[super_block + 1 + ((block & 7) >> 1)] >> (16 * (block & 1));
  let scale = vec2f(d.x * f32(sub & 255), -(d.y * f32((sub >> 8) & 255)));`

const bodies: Readonly<Record<WeightType, (context: Context) => string>> = {
  f32: ({ buffer, quantWords }) => `  let at = row * ${quantWords} + group * 8;
  return Eight(
    bitcast<vec4f>(vec4u(${buffer}[at], ${buffer}[at + 1], ${buffer}[at + 2], ${buffer}[at + 3])),
    bitcast<vec4f>(vec4u(${buffer}[at + 4], ${buffer}[at + 5], ${buffer}[at + 6], ${buffer}[at + 7])));`,
  f16: ({ buffer, quantWords }) => `  let at = row * ${quantWords} + group * 4;
  return Eight(
    vec4f(unpack2x16float(${buffer}[at]), unpack2x16float(${buffer}[at + 1])),
    vec4f(unpack2x16float(${buffer}[at + 2]), unpack2x16float(${buffer}[at + 3])));`,
  bf16: ({ buffer, quantWords }) => `  let at = row * ${quantWords} + group * 4;
  let words = vec4u(${buffer}[at], ${buffer}[at + 1], ${buffer}[at + 2], ${buffer}[at + 3]);
  let even = bitcast<vec4f>(words << vec4u(16));
  let odd = bitcast<vec4f>(words & vec4u(0xffff0000u));
  return Eight(vec4f(even.x, odd.x, even.y, odd.y), vec4f(even.z, odd.z, even.w, odd.w));`,
  q4_0: (context) => `  ${blockOf(context, 4)}
  ${nibbles}
  ${simpleScale(context)}
  return Eight((low - 8) * scale.x, (high - 8) * scale.x);`,
  q4_1: (context) => `  ${blockOf(context, 4)}
  ${nibbles}
  ${simpleScale(context)}
  return Eight(low * scale.x + scale.y, high * scale.x + scale.y);`,
  q5_0: (context) => `  ${blockOf(context, 5)}
  ${nibbles}
  ${fifthBits(context.buffer)}
  ${simpleScale(context)}
  return Eight((low + fifth_low - 16) * scale.x, (high + fifth_high - 16) * scale.x);`,
  q5_1: (context) => `  ${blockOf(context, 5)}
  ${nibbles}
  ${fifthBits(context.buffer)}
  ${simpleScale(context)}
  return Eight((low + fifth_low) * scale.x + scale.y, (high + fifth_high) * scale.x + scale.y);`,
  q8_0: (context) => `  let block = group >> 2;
  let at = row * ${context.quantWords} + group * 2;
  let first = ${context.buffer}[at];
  let second = ${context.buffer}[at + 1];
  let low = vec4f(bitcast<vec4i>(vec4u(first << 24, first << 16, first << 8, first)) >> vec4u(24));
  let high = vec4f(bitcast<vec4i>(vec4u(second << 24, second << 16, second << 8, second)) >> vec4u(24));
  ${simpleScale(context)}
  return Eight(low * scale.x, high * scale.x);`,
  q4_k: (context) => `  ${blockOf(context, 4)}
  ${nibbles}
  ${subScale(context)}
  return Eight(low * scale.x + scale.y, high * scale.x + scale.y);`,
  q5_k: (context) => `  ${blockOf(context, 5)}
  ${nibbles}
  ${fifthBits(context.buffer)}
  ${subScale(context)}
  return Eight((low + fifth_low) * scale.x + scale.y, (high + fifth_high) * scale.x + scale.y);`,
  q6_k: (context) => `  ${blockOf(context, 6)}
  ${nibbles}
  let bits = ${context.buffer}[at + 4 + ((group & 3) >> 1)] >> (16 * (group & 1));
  let top_low = vec4f((vec4u(bits, bits >> 2, bits >> 4, bits >> 6) & vec4u(3)) << vec4u(4));
  let top_high = vec4f((vec4u(bits >> 8, bits >> 10, bits >> 12, bits >> 14) & vec4u(3)) << vec4u(4));
  let super_block = ${context.scales} + row * ${context.scaleWords} + (block >> 3) * 5;
  let d = unpack2x16float(${context.buffer}[super_block]).x;
  let j = ((block & 7) << 1) | ((group & 3) >> 1);
  let sc = bitcast<i32>(${context.buffer}[super_block + 1 + (j >> 2)] << (24 - 8 * (j & 3))) >> 24;
  let scale = d * f32(sc);
  return Eight((low + top_low - 32) * scale, (high + top_high - 32) * scale);`,
}
