/** What the playground takes from its environment: what the processes that it starts inherit, and where an own store is. */

/** The environment of a child: this process's own, without settings meant for other services of the house, and what is given. */
export function childEnvironment(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RHIZOME_'));
  return { ...Object.fromEntries(inherited), ...given };
}

/** Whether the store is one that is run elsewhere, which `lib/mongo` then connects to. */
export function hasStoreElsewhere(): boolean {
  return Boolean(process.env['MONGODB_URI']);
}
