// Pictures on WASM: HF's answers with the demo model. (Its hidden states of random towers: agreement.test.ts.)
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Gemma } from '@facetjs/core'
import { wasm } from './index.ts'

const fixtures = new URL('../../core/fixtures/', import.meta.url)
const forms = [['gguf', new URL('../../demo-model/model/demo-q8_0.gguf', import.meta.url)], ['safetensors', new URL('models/demo-shapes/', fixtures)]] as const

test('three images over three turns equal the same conversation in one prompt, in chunks of every size from one image up', async () => {
  const [, model] = forms[0]
  const turns = [['000.png', 'Describe the image.'], ['011.png', 'What do you see?'], ['022.png', 'Describe the image.']] as const
  const picture = (name: string): Uint8Array => readFileSync(new URL(`demo/pictures/${name}`, fixtures))
  const load = (prefillChunk: number): Promise<Gemma> => Gemma.load(model, { backend: wasm({ threads: 1 }), numerics: 'exact', contextLength: 256, prefillChunk })
  await using gemma = await load(256)
  await using session = gemma.chat()
  const answers: string[] = []
  for (const [name, question] of turns) answers.push((await session.send([picture(name), question]).result).text)
  const messages = turns.slice(0, 2).flatMap(([name, question], i) => [
    { role: 'user', content: [{ type: 'image' as const, image: picture(name) }, { type: 'text' as const, text: question }] },
    { role: 'assistant', content: answers[i] },
  ])
  const ask = async (chunk: number): Promise<{ readonly total: number; readonly text: string; readonly logprobs: readonly number[] }> => {
    await using other = await load(chunk)
    await using whole = other.chat({ messages })
    const { usage, text, logprobs = [] } = await whole.send([picture(turns[2][0]), turns[2][1]], { logprobs: 0 }).result
    return { total: usage.promptTokens, text, logprobs: logprobs.map(({ logprob }) => logprob) }
  }
  const whole = await ask(256)
  expect(whole.text).toBe(answers[2])
  expect(whole.total).toBeGreaterThan(gemma.config.text.slidingWindow)
  for (let chunk = gemma.config.vision?.mmTokensPerImage ?? 0; chunk < whole.total; chunk++) {
    const found = await ask(chunk)
    expect(found.text, `chunk ${chunk}`).toBe(whole.text)
    const worst = Math.max(...found.logprobs.map((value, i) => Math.abs(value - whole.logprobs[i])))
    expect(worst, `chunk ${chunk}`).toBeLessThan(1e-3) // f32 sums in another order
  }
})

interface DemoRow {
  readonly turns: readonly { readonly question: string; readonly picture: string | null; readonly answer?: string }[]
  readonly gguf: { readonly ids: readonly number[] }
  readonly safetensors: { readonly ids: readonly number[] }
}

const { rows }: { rows: DemoRow[] } = JSON.parse(readFileSync(new URL('demo/images-expected.json', fixtures), 'utf8'))

describe.each(forms)('the demo model through %s', (form, model) => {
  // 8-bit and 12-bit arithmetic may choose otherwise where HF itself is not sure.
  describe.each([['exact', rows.length], ['fast', rows.length - 2]] as const)('%s', (numerics, least) => {
    let gemma: Gemma
    beforeAll(async () => {
      gemma = await Gemma.load(model, { backend: wasm(), numerics })
    })
    afterAll(() => gemma.dispose())

    test(`answers as HF does to at least ${least} of ${rows.length} conversations about PNG files`, async () => {
      const different: string[] = []
      for (const row of rows) {
        const messages = row.turns.flatMap(({ question, picture, answer }) => {
          const image = picture === null ? [] : [{ type: 'image' as const, image: readFileSync(new URL(`demo/pictures/${picture}`, fixtures)) }]
          const user = { role: 'user', content: [...image, { type: 'text' as const, text: question }] }
          return answer === undefined ? [user] : [user, { role: 'assistant', content: answer }]
        })
        const [question] = messages.splice(-1)
        await using session = gemma.chat({ messages })
        if (typeof question.content === 'string') throw new TypeError('a question has parts')
        const { ids } = await session.send(question.content, { temperature: 0 }).result
        if (ids.join() !== row[form].ids.join()) different.push(row.turns.map((turn) => turn.question).join(' / '))
      }
      expect(different.length, different.join('\n')).toBeLessThanOrEqual(rows.length - least)
    })
  })
})
