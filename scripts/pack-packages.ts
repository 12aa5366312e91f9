/** The packages as npm would get them, and projects that install them. Needs `pnpm build` first. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const packages = join(dirname(dirname(fileURLToPath(import.meta.url))), 'packages')

export interface PackedPackage {
  readonly name: string
  /** The tarball. */
  readonly file: string
  readonly hasCommands: boolean
  /** It has an addon for one platform; npm takes it where it fits, as others depend on it. */
  readonly isAddon: boolean
  /** The addon was built, or it needs none. */
  readonly isWhole: boolean
}

/** Package names with what npm installs for each. */
type Dependencies = Readonly<Record<string, string>>

/** Runs a command to its end and returns its output. @throws Error when it fails; what it complained of is on stderr */
export function run(cwd: string, command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Packs all packages into a folder. Addons and PTX are in them as far as they were built. */
export function packPackages(folder: string): readonly PackedPackage[] {
  const addons = join('backend-cuda', 'npm')
  const entries = [...readdirSync(packages), ...readdirSync(join(packages, addons)).map((platform) => join(addons, platform))]
  return entries.map((entry) => {
    const { name, version, bin, main = 'package.json' } = JSON.parse(readFileSync(join(packages, entry, 'package.json'), 'utf8'))
    run(join(packages, entry), 'npx', '-y', PNPM, 'pack', '--pack-destination', folder)
    const file = join(folder, `${name.slice(1).replace('/', '-')}-${version}.tgz`)
    if (!existsSync(file)) throw new Error(`${name} was not packed`)
    return { name, file, hasCommands: bin !== undefined, isAddon: entry.startsWith(addons), isWhole: existsSync(join(packages, entry, main)) }
  })
}

/**
 * `npm install` in a folder whose package.json is this one, with our packages from their tarballs.
 * @param manifest its dependencies on our packages, whatever version they ask for, get the tarballs
 */
export function installProject(folder: string, manifest: { readonly dependencies: Dependencies }, packed: readonly PackedPackage[]): void {
  const tarballs = Object.fromEntries(packed.map(({ name, file }) => [name, `file:${file}`]))
  const dependencies = Object.fromEntries(Object.entries(manifest.dependencies).map(([name, version]) => [name, tarballs[name] ?? version]))
  // overrides: packages depend on each other's unpublished versions.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, dependencies, overrides: tarballs }))
  run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--loglevel=error')
}
