import { GemmaError } from '../errors.ts'

/** @throws GemmaError `invalid-argument` where the value is given and is no whole number in [least, most] */
export function checkWhole(name: string, value: number | undefined, least: number, most: number = Infinity): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  throw new GemmaError('invalid-argument', `${name} is ${value}. Give a whole number ${most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`}.`)
}
