// @vitest-environment happy-dom
import { describeHooks } from './hooks.testing.ts'

describeHooks(19)
