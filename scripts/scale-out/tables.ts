/** The tables of docs/scale-out.md. */
import { type GemmaSize, gemmaSizes } from '../../packages/core/src/index.ts'
import { assumptions, encodings, kvBytes, slotBytes, usersOn, weightBytes } from './capacity.ts'

const sizes: readonly GemmaSize[] = ['4b', '12b', '27b']
const contexts = [8192, 32_768, 131_072]
const cardGigabytes = [24, 48, 80, 141]
const groups: readonly { readonly cards: number; readonly gigabytes: number }[] = [
  { cards: 2, gigabytes: 24 },
  { cards: 4, gigabytes: 24 },
  { cards: 2, gigabytes: 48 },
  { cards: 4, gigabytes: 48 },
  { cards: 2, gigabytes: 80 },
  { cards: 8, gigabytes: 80 },
]

const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(bytes < 2 ** 30 ? 2 : 1)
const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const rule = (columns: number): string => `|${'---|'.repeat(columns)}`
const contextNames = contexts.map((tokens) => `${tokens / 1024}K`)

const begin = '<!-- written by scripts/scale-out.ts -->\n'
const end = '\n<!-- end -->'

/** The page with the tables between its two marks. */
export function withTables(page: string): string {
  const [before, rest = ''] = page.split(begin)
  return `${before}${begin}${renderTables()}${rest.slice(rest.indexOf(end))}`
}

function renderTables(): string {
  return [
    `Assumptions: vLLM takes ${assumptions.memoryShare * 100} % of a card (its default), of which ${gibibytes(assumptions.otherBytes)} GiB are neither weights nor KV; keys and values in bf16; a user is one conversation that fills its context and is being answered. “24 GB” is 24 GiB.`,
    '',
    '### Weights and KV',
    '',
    'In GiB. KV of one conversation with the hybrid manager, and without it in brackets.',
    '',
    row('model', 'bf16', 'int4', 'KV a token', 'of it in global layers', ...contextNames),
    rule(5 + contexts.length),
    ...sizes.map((size) => {
      const config = gemmaSizes[size]
      const { layerTypes } = config.text
      const global = layerTypes.filter((type) => type === 'global').length
      const kilobytes = (layers: number): string => `${(layers * slotBytes(config)) / 1024} KiB`
      return row(size, ...encodings.map((encoding) => gibibytes(weightBytes(size, encoding))), kilobytes(layerTypes.length), kilobytes(global), ...contexts.map((tokens) => `${gibibytes(kvBytes(size, tokens).hybrid)} (${gibibytes(kvBytes(size, tokens).full)})`))
    }),
    '',
    `### Users on one card, at ${contextNames.join(' / ')}`,
    '',
    ...userTables(cardGigabytes.map((gigabytes) => ({ cards: 1, gigabytes }))),
    '',
    `### Users on several cards (\`--tensor-parallel-size\`), at ${contextNames.join(' / ')}`,
    '',
    ...userTables(groups),
  ].join('\n')
}

/** With the hybrid manager; without it below, in brackets. */
function userTables(columns: readonly { readonly cards: number; readonly gigabytes: number }[]): string[] {
  const name = ({ cards, gigabytes }: (typeof columns)[number]): string => `${cards === 1 ? '' : `${cards} × `}${gigabytes} GB`
  return [
    row('model', 'weights', ...columns.map(name)),
    rule(2 + columns.length),
    ...sizes.flatMap((size) =>
      encodings.map((encoding) =>
        row(
          size,
          encoding,
          ...columns.map(({ cards, gigabytes }) => {
            const users = contexts.map((tokens) => usersOn(size, encoding, { cardBytes: gigabytes * 2 ** 30, cards }, tokens))
            if (users.every(({ hybrid }) => hybrid === 0)) return '–'
            return `${users.map(({ hybrid }) => hybrid).join(' / ')} (${users.map(({ full }) => full).join(' / ')})`
          }),
        ),
      ),
    ),
  ]
}
