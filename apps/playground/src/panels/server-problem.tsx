import { GemmaError } from '@facetjs/core'
import { Code } from '@mantine/core'
import type { ReactElement } from 'react'

/** What is wrong with a server, and what to do about it from here. */
export function ServerProblem({ error }: { readonly error: Error }): ReactElement {
  if (!GemmaError.is(error, 'backend-unavailable')) return <>{error.message}</>
  const { details: { status }, cause } = error
  if (status === 401) return <>The server wants a valid key. Write it into “Key”, in the panel “Model”, and connect again.</>
  // Browsers tell pages nothing more: a server that is off and one that does not let them in look the same.
  if (status === undefined && cause !== undefined) {
    return (
      <>
        There is no answer. The server is off, cannot be reached from here, or does not let this page in: start it with <Code>facet serve --cors {location.origin}</Code>, or
        vLLM with <Code>--allowed-origins '["{location.origin}"]'</Code>.
      </>
    )
  }
  return <>{error.message}</>
}
