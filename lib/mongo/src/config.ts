/** Variables by name, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process; the only place of this package that reads it. */
export function processEnvironment(): Environment {
  return process.env;
}
