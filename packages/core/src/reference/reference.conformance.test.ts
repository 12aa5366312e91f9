import { describe, test } from 'vitest'
import { describeConformance } from '../testing/index.ts'
import { reference } from './index.ts'

describeConformance({ describe, test }, reference(), { numerics: 'exact' })
