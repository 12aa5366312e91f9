import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Gemma, openModel } from '../../packages/core/src/index.ts'
import { reference } from '../../packages/core/src/reference/index.ts'
import { demoModel } from '../../packages/demo-model/src/index.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contentOf, descriptions, textConversations } from './expected-answers.ts'
import { tensorValues, writeHubFolder } from './hub-folder.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'facet-hub-'))
  await writeHubFolder(folder)
})
afterAll(async () => await rm(folder, { recursive: true }))

test('the folder holds the weights of the GGUF and its mmproj, bit for bit', async () => {
  const gguf = await openModel(demoModel.gguf, { mmproj: demoModel.mmproj })
  const hub = await openModel(folder)
  expect(hub.config).toMatchObject(gguf.config) // only config.json names the soft token
  expect([...hub.tensors.keys()].toSorted()).toEqual([...gguf.tensors.keys()].toSorted())
  for (const info of gguf.tensors.values()) {
    const found = hub.tensors.get(info.name) ?? expect.unreachable()
    expect(found.shape).toEqual(info.shape)
    const [ours, theirs] = [await tensorValues(gguf, info), await tensorValues(hub, found)]
    expect(ours.every((value, at) => Object.is(value, theirs[at])), info.name).toBe(true)
  }
  await Promise.all([gguf.close(), hub.close()])
})

test('its names are those of a folder that HF wrote', async () => {
  const namesIn = (file: Buffer): string[] => Object.keys(JSON.parse(file.toString('utf8', 8, 8 + Number(file.readBigUInt64LE())))).toSorted()
  const names = namesIn(await readFile(join(folder, 'model.safetensors')))
  expect(names).toContain('language_model.model.layers.5.self_attn.q_norm.weight')
  expect(names).toContain('vision_tower.vision_model.encoder.layers.3.mlp.fc1.bias')
  expect(names).toContain('multi_modal_projector.mm_input_projection_weight')
})

test('it answers as HF does on the GGUF', async () => {
  await using gemma = await Gemma.load(folder, { backend: reference(), numerics: 'exact' })
  for (const { turns: [turn] } of [textConversations[0], descriptions[0]]) {
    await using session = gemma.chat()
    expect((await session.send(await contentOf(turn)).result).text).toBe(turn.answer)
  }
})
