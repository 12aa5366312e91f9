/** What packages' package.json files say about their names, as an import map: https://html.spec.whatwg.org/multipage/webappapis.html#import-maps */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface ImportMap {
  readonly imports: Readonly<Record<string, string>>
  readonly scopes: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** What a browser picks of conditional exports. */
const browserConditions: readonly string[] = ['browser', 'import', 'default']

/**
 * @param folders of packages, relative to `root`; each is served under its own path
 * @param moreConditions that are picked too: `@facetjs/source` for our packages' sources
 */
export async function createImportMap(root: string, folders: readonly string[], moreConditions: readonly string[] = []): Promise<ImportMap> {
  const conditions = new Set([...browserConditions, ...moreConditions])
  const imports: Record<string, string> = {}
  const scopes: Record<string, Record<string, string>> = {}
  for (const folder of folders) {
    const manifest: unknown = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
    const name = fieldOf(manifest, 'name')
    if (typeof name !== 'string') throw new TypeError(`${folder}/package.json has no name`)
    for (const [subpath, file] of entries(fieldOf(manifest, 'exports'), conditions)) imports[join(name, subpath)] = join('/', folder, file)
    // Each package's # names are its own.
    const own = entries(fieldOf(manifest, 'imports'), conditions).map(([specifier, file]) => [specifier, join('/', folder, file)])
    if (own.length > 0) scopes[`/${folder}/`] = Object.fromEntries(own)
  }
  return { imports, scopes }
}

/** Names with the file that a browser gets for each; patterns (*) are left out. */
function entries(table: unknown, conditions: ReadonlySet<string>): readonly (readonly [string, string])[] {
  if (typeof table !== 'object' || table === null) return []
  return Object.entries(table).flatMap(([name, target]) => {
    const file = name.includes('*') ? undefined : pick(target, conditions)
    return file === undefined ? [] : [[name, file] as const]
  })
}

function pick(target: unknown, conditions: ReadonlySet<string>): string | undefined {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return undefined
  for (const [condition, inner] of Object.entries(target)) {
    const file = conditions.has(condition) ? pick(inner, conditions) : undefined
    if (file !== undefined) return file
  }
  return undefined
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** The address that a bare name stands for in a script at `path`, as browsers look it up. */
export function resolveBare({ imports, scopes }: ImportMap, specifier: string, path: string): string | undefined {
  const scope = Object.keys(scopes).find((prefix) => path.startsWith(prefix))
  return (scope === undefined ? undefined : scopes[scope][specifier]) ?? imports[specifier]
}
