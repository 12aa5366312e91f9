// @vitest-environment happy-dom
import type * as React from 'react'
import { vi } from 'vitest'
import { describeHooks } from './hooks.testing.ts'

// `use`: of what a mock lacks, vitest makes an error; React 18 just has none.
vi.mock('react', async () => Object.assign({ use: undefined }, await vi.importActual<typeof React>('react-18')))

describeHooks(18)
