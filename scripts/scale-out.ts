// Writes the tables of docs/scale-out.md: how much KV, and how many users a card. Arithmetic from core's plans; nothing is measured.
import { readFileSync, writeFileSync } from 'node:fs'
import { withTables } from './scale-out/tables.ts'

const page = new URL('../docs/scale-out.md', import.meta.url)
writeFileSync(page, withTables(readFileSync(page, 'utf8')))
