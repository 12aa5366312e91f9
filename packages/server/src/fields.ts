/** Fields of the protocol as schemas, and what a client is told of the first that is wrong. Each rule reads on from "it must be". */
import { z } from 'zod'
import { ApiError } from './errors.ts'

type Field<T> = z.ZodType<T | undefined>

export function number(low: number, high: number, fix: string): Field<number> {
  const error = `a number from ${low} to ${high}; ${fix}`
  return z.number({ error }).min(low, { error }).max(high, { error }).optional()
}

export function whole(low: number, high: number, fix: string): Field<number> {
  const error = high === Number.MAX_SAFE_INTEGER ? `a whole number from ${low} on; ${fix}` : `a whole number from ${low} to ${high}; ${fix}`
  return z.int({ error }).min(low, { error }).max(high, { error }).optional()
}

export function flag(fix: string): Field<boolean> {
  return z.boolean({ error: `true or false; ${fix}` }).optional()
}

/** What changes nothing here: taken, whatever it says. */
export function inertText(): Field<string> {
  return z.string({ error: 'a string; or leave it out' }).optional()
}

/** What only some values of can be honoured. */
export function only(values: readonly (string | number | boolean)[], fix: string): z.ZodType {
  const error = `${values.map((value) => JSON.stringify(value)).join(' or ')}; ${fix}`
  const check: z.ZodType = z.unknown().superRefine((value, context) => {
    if (values.some((each) => each === value)) return
    const isOfType = values.some((each) => typeof each === typeof value)
    context.addIssue({ code: 'custom', message: error, params: { code: isOfType ? 'invalid_value' : 'invalid_type' } })
  })
  return check.optional()
}

/** What cannot be honoured at all. @param isInert values that ask for nothing */
export function unsupported(fix: string, isInert: (value: unknown) => boolean = () => false): z.ZodType {
  const check: z.ZodType = z.unknown().superRefine((value, context) => {
    if (!isInert(value)) context.addIssue({ code: 'custom', message: fix, params: { code: 'unsupported_parameter' } })
  })
  return check.optional()
}

/** To be spread among the fields of a schema, whose type need not know them. */
export function unsupportedFields(fixes: Readonly<Record<string, string>>): object {
  return Object.fromEntries(Object.entries(fixes).map(([name, fix]) => [name, unsupported(fix)]))
}

/** More than any request has a use for: the context of Gemma 3 takes an eighth of it. */
const MOST_ITEMS = 2 ** 20

/** Read up to its first wrong item: a body has room for millions, and zod would write down what is wrong with each. */
export function list<T>(item: z.ZodType<T>, { low = 0, high = MOST_ITEMS, error }: { readonly low?: number; readonly high?: number; readonly error: string }): z.ZodType<readonly T[]> {
  return z.unknown().transform((value, context): readonly T[] => {
    if (!Array.isArray(value)) {
      context.issues.push({ code: 'invalid_type', expected: 'array', input: value, message: error })
    } else if (value.length < low || value.length > high) {
      context.issues.push({ code: 'custom', input: value, message: `a list of ${low} to ${high} items` })
    } else {
      return checkEach(value.entries(), item, context).map(([, each]) => each)
    }
    return z.NEVER
  })
}

/** As a list, of names and values. */
export function record<T>(item: z.ZodType<T>, { high, error }: { readonly high: number; readonly error: string }): z.ZodType<Readonly<Record<string, T>>> {
  return z.unknown().transform((value, context): Readonly<Record<string, T>> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.issues.push({ code: 'invalid_type', expected: 'record', input: value, message: error })
    } else if (Object.keys(value).length > high) {
      context.issues.push({ code: 'custom', input: value, message: `an object of at most ${high} names` })
    } else {
      return Object.fromEntries(checkEach(Object.entries(value), item, context))
    }
    return z.NEVER
  })
}

function checkEach<K extends string | number, T>(entries: Iterable<[K, unknown]>, item: z.ZodType<T>, context: z.RefinementCtx): [K, T][] {
  const checked: [K, T][] = []
  for (const [key, value] of entries) {
    const { success, data, error } = item.safeParse(value)
    if (!success) {
      const { path, message, code } = complaintOf(error, value)
      context.issues.push({ code: 'custom', input: value, path: [key, ...path], message, params: { code } })
      break
    }
    checked.push([key, data])
  }
  return checked
}

export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/**
 * Null is the same as nothing, as the protocol has it.
 * @throws ApiError 400 with the first field that is wrong
 */
export function parseFields<T>(schema: z.ZodType<T>, body: Readonly<Record<string, unknown>>): T {
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw errorOf(complaintOf(parsed.error, given))
}

type Issue = z.core.$ZodIssue

/** Of a union, what is wrong with the alternative that was meant: the one that fits at least at its top. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const meant = issue.errors.map((errors) => errors[0]).find((error) => error !== undefined && (error.path.length > 0 || error.code !== 'invalid_type'))
  return meant === undefined ? issue : deepest({ ...meant, path: [...issue.path, ...meant.path] })
}

/** What a client is told. */
interface Complaint {
  readonly path: readonly PropertyKey[]
  readonly code: string
  readonly message: string
}

/** The first of what is wrong. */
function complaintOf({ issues: [first] }: z.ZodError, value: unknown): Complaint {
  if (first === undefined) return { path: [], code: 'invalid_value', message: 'what the protocol says' }
  const issue = deepest(first)
  const { path, message } = issue
  if (issue.code === 'unrecognized_keys') return { path: [...path, ...issue.keys.slice(0, 1)], code: 'unknown_parameter', message: 'Check its spelling, or leave it out.' }
  return { path, code: codeOf(issue, valueAt(value, path)), message }
}

function errorOf({ path, code, message }: Complaint): ApiError {
  const param = pathOf(path)
  switch (code) {
    case 'unknown_parameter':
      return new ApiError(400, `Unknown parameter: '${param}'. ${message}`, { code, param })
    case 'unsupported_parameter':
      return new ApiError(400, `Unsupported parameter: '${param}'. ${message}`, { code, param })
    case 'missing_required_parameter':
      return new ApiError(400, `Missing required parameter: '${param}'. It must be ${message}.`, { code, param })
    default:
      return new ApiError(400, `Invalid ${code === 'invalid_type' ? 'type' : 'value'} for '${param}': it must be ${message}.`, { code, param })
  }
}

function codeOf(issue: Issue, value: unknown): string {
  if (issue.code === 'custom') return String(issue.params?.['code'] ?? 'invalid_value')
  if (value === undefined) return 'missing_required_parameter'
  if (issue.code === 'invalid_type') return issue.expected === 'int' ? 'invalid_value' : 'invalid_type'
  if (issue.code === 'invalid_union' && !('discriminator' in issue)) return 'invalid_type'
  return issue.code === 'invalid_value' && issue.values.every((each) => typeof each !== typeof value) ? 'invalid_type' : 'invalid_value'
}

/** `messages[1].content[0].image_url.url` */
export function pathOf(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key).slice(0, 100)}`)).join('')
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined), body)
}
