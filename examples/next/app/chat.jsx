'use client'
import { GemmaProvider, useGemma } from '@facetjs/react'
import { demoModel } from '@facetjs/demo-model'

const engine = {
  // The real model, 290 MB, downloaded once: 'hf:ggml-org/gemma-3-270m-it-GGUF'
  model: demoModel.gguf,
  worker: () => new Worker(new URL('./gemma.worker.js', import.meta.url), { type: 'module' }),
  backend: ['webgpu', 'wasm'], // the first that this browser has
}

export function Chat() {
  return <GemmaProvider defaults={{ engine }}><Conversation /></GemmaProvider>
}

function Conversation() {
  const { status, progress, messages, send, stop, error, device } = useGemma({ autoLoad: true })
  return (
    <main>
      {messages.map(({ id, role, parts }) => <p key={id} className={role}>{parts.map((part) => part.type === 'text' && part.text)}</p>)}
      <form action={(form) => void send(String(form.get('question')))}>
        <input name="question" defaultValue="What is the opposite of night?" size={40} aria-label="Question" />
        {status === 'generating' ? <button type="button" onClick={stop}>Stop</button> : <button disabled={status !== 'ready'}>Ask</button>}
      </form>
      <output>{error?.message ?? (progress ? `${progress.phase} ${progress.loaded} of ${progress.total}` : device?.backend)}</output>
    </main>
  )
}
