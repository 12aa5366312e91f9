#!/usr/bin/env node
import { main } from './program.ts'

const exitCode = await main(process.argv)
if (exitCode !== 0) process.exitCode = exitCode
