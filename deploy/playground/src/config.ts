/** What the playground takes from its environment: only what the processes that it starts inherit. */

/** The environment of a child: this process's own, without settings meant for other services of the house, and what is given. */
export function childEnvironment(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RHIZOME_'));
  return { ...Object.fromEntries(inherited), ...given };
}
