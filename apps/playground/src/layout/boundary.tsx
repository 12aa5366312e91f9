import { Alert, Button } from '@mantine/core'
import { Component, type ReactNode } from 'react'

export interface BoundaryProps {
  /** What is in it: `Inspect`. */
  readonly name: string
  readonly children: ReactNode
}

interface BoundaryState {
  readonly error?: Error
}

/** What fails to be drawn in it, or whose script does not come, takes nothing else of the page with it. */
export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override readonly state: BoundaryState = {}

  static getDerivedStateFromError(reason: unknown): BoundaryState {
    return { error: reason instanceof Error ? reason : new Error(String(reason)) }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    return (
      <Alert color="red" title={`${this.props.name} cannot be shown`} m="md">
        {error.message}
        <div><Button size="xs" variant="default" mt="xs" onClick={() => location.reload()}>Reload the page</Button></div>
      </Alert>
    )
  }
}
