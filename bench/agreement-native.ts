import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { isToken } from './llama-token.ts'
import { type AgreementSubject, KEPT } from '../scripts/agreement/subject.ts'

/** Rows per call: the probabilities of all of them, 262144 map entries a row, are in memory at once. */
const chunk = 16

/** llama.cpp itself (node-llama-cpp's prebuilt binary), for `pnpm agree --backend native`. */
export async function nativeSubject(modelPath: string, contextSize: number): Promise<AgreementSubject> {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  const model = await llama.loadModel({ modelPath })
  // One thread: its threads spin at their barriers, and stand still for seconds where something else wants a core.
  const context = await model.createContext({ contextSize, batchSize: 128, threads: 1 })
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
        // Temperature 0 leaves the distribution as it is.
        const outputs = await sequence.controlledEvaluate(inputs.map((id) => [id, { generateNext: { probabilities: true, options: { temperature: 0 } } }]))
        for (const [r, output] of outputs.entries()) {
          // Best first. It normalises by an f32 sum, so that they add up to 1 only within 5e-4: log Σ makes up for that.
          const probabilities = [...(output?.next.probabilities ?? [])]
          logSumExp[from + r] = Math.log(probabilities.reduce((sum, [, probability]) => sum + probability, 0))
          for (const [place, [id, probability]] of probabilities.slice(0, KEPT).entries()) {
            topIds[(from + r) * KEPT + place] = id
            topLogits[(from + r) * KEPT + place] = Math.log(probability)
          }
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
