import { afterAll, describe, test } from 'vitest'
import { describeConformance } from '../testing/index.ts'
import { reference } from './index.ts'

describeConformance({ afterAll, describe, test }, reference({ runsAhead: 4 }), { numerics: 'exact' })
