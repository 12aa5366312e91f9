import { getLlama, type Token } from 'node-llama-cpp'
import { candidatesOf } from '../packages/core/src/sampling/candidates.ts'
import { type AgreementSubject, KEPT } from '../scripts/agreement/subject.ts'

/** Rows per call: the logits of all of them, 262144 map entries a row, are in memory at once. */
const chunk = 16

/** llama.cpp itself (node-llama-cpp's prebuilt binary), for `pnpm agree --backend native`. */
export async function nativeSubject(modelPath: string, contextSize: number): Promise<AgreementSubject> {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
  const model = await llama.loadModel({ modelPath })
  const context = await model.createContext({ contextSize, batchSize: 128 })
  const sequence = context.getSequence()
  return {
    async continueGreedily(ids, tokens) {
      await sequence.clearHistory()
      const answer: number[] = []
      for await (const token of sequence.evaluate(ids.filter(isToken), { temperature: 0, yieldEogToken: true })) {
        answer.push(token)
        if (answer.length === tokens) break
      }
      return answer
    },
    async traceRows(ids, onProgress) {
      await sequence.clearHistory()
      const topIds = new Int32Array(ids.length * KEPT)
      const topLogits = new Float32Array(ids.length * KEPT)
      const logSumExp = new Float32Array(ids.length)
      for (let from = 0; from < ids.length; from += chunk) {
        const inputs = ids.slice(from, from + chunk).filter(isToken)
        // Temperature 0 leaves the logits raw. Its own probabilities are normalised by an f32 sum that misses 1 by up to 5e-4.
        const outputs = await sequence.controlledEvaluate(inputs.map((id) => [id, { generateNext: { logits: true, options: { temperature: 0 } } }]))
        for (const [r, output] of outputs.entries()) {
          const best = candidatesOf(denseLogits(output?.next.logits ?? new Map()), undefined, KEPT)
          topIds.set(best.ids, (from + r) * KEPT)
          topLogits.set(best.logits, (from + r) * KEPT)
          logSumExp[from + r] = best.logSumExp
        }
        onProgress(from + inputs.length)
      }
      return new Map([
        ['top_ids', { dtype: 'I32', shape: [ids.length, KEPT], data: topIds }],
        ['top_logits', { dtype: 'F32', shape: [ids.length, KEPT], data: topLogits }],
        ['logsumexp', { dtype: 'F32', shape: [ids.length], data: logSumExp }],
      ])
    },
    async dispose() {
      await context.dispose()
      await model.dispose()
      await llama.dispose()
    },
  }
}

/** [vocab] */
function denseLogits(logits: ReadonlyMap<Token, number>): Float32Array {
  const dense = new Float32Array(logits.size)
  for (const [id, logit] of logits) dense[id] = logit
  return dense
}

/** node-llama-cpp brands its token ids. */
function isToken(id: number): id is Token {
  return Number.isInteger(id)
}
