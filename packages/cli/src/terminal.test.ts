import { expect, test } from 'vitest'
import { withoutControls } from './terminal.ts'

test('an answer cannot steer the terminal', () => {
  expect(withoutControls('a\u001b]52;c;cm0=\u0007b\u009b2J\r\n\tGröße 🦊\u0000\u007f')).toBe('a]52;c;cm0=b2J\n\tGröße 🦊')
})
