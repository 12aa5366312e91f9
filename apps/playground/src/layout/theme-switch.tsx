import { ActionIcon, type MantineColorScheme, Tooltip, useMantineColorScheme } from '@mantine/core'
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react'
import type { ReactElement } from 'react'

const next: Readonly<Record<MantineColorScheme, MantineColorScheme>> = { auto: 'light', light: 'dark', dark: 'auto' }
const names: Readonly<Record<MantineColorScheme, string>> = { auto: 'as the system', light: 'light', dark: 'dark' }
const icons = { auto: IconDeviceDesktop, light: IconSun, dark: IconMoon } as const

export function ThemeSwitch(): ReactElement {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const label = `Colours: ${names[colorScheme]}. Change to ${names[next[colorScheme]]}`
  const Icon = icons[colorScheme]
  return <Tooltip label={label}><ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(next[colorScheme])}><Icon size={20} /></ActionIcon></Tooltip>
}
