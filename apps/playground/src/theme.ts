import { createTheme, type CSSVariablesResolver, type MantineThemeOverride } from '@mantine/core'

// Shades of at least 4.5 : 1 on their grounds, which Mantine's own dimmed grey and filled blue are not.
export const theme: MantineThemeOverride = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
})

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: { '--mantine-color-dimmed': '#5c636a', '--mantine-color-placeholder': '#6a7178', '--mantine-color-error': '#c92a2a', '--facet-ground': '#f8f9fa', '--facet-question': '#e7ecfb' },
  dark: { '--mantine-color-dimmed': '#a6a6a6', '--mantine-color-placeholder': '#8f8f8f', '--mantine-color-error': '#ff8787', '--facet-ground': '#1f1f1f', '--facet-question': '#2c3350' },
})
