/** Server-sent events, as the protocol has them: `data:` lines. https://html.spec.whatwg.org/multipage/server-sent-events.html */

export function event(data: object | '[DONE]'): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
}

/**
 * Events are asked for as the client reads them.
 * @param onLeft the client has gone before the end
 */
export function eventStreamResponse(events: AsyncGenerator<string>, onLeft: (reason: unknown) => void): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await events.next()
      if (next.done === true) controller.close()
      else controller.enqueue(encoder.encode(next.value))
    },
    async cancel(reason) {
      onLeft(reason)
      await events.return(undefined)
    },
  })
  return new Response(body, {
    headers: {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache',
      'X-Accel-Buffering': 'no', // nginx would hold them back
    },
  })
}
