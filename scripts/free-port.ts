import { createServer } from 'node:net'

/** A port of 127.0.0.1 that nothing listens at, for a program that has to be told one. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => void server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('This machine has no free port.')
  return address.port
}
