import { DomainError } from '@rhizome/errors';

/** Maximum nesting of lists and objects: recursive code needs stack for each level. */
const deepest = 200;

/**
 * Refuses variables that nest so deeply that code behind the gateway would run out of stack or drop them.
 * @throws DomainError OPERATION_TOO_COMPLEX
 */
export function assertShallow(variables: Readonly<Record<string, unknown>> | undefined): void {
  if (variables === undefined) return;
  for (const name of Object.keys(variables)) {
    if (fits(variables[name], deepest)) continue;
    const expected = `lists and objects nested at most ${deepest} deep`;
    throw new DomainError(
      'OPERATION_TOO_COMPLEX',
      `variables: "${name}" nests too deep; must be ${expected}`,
      {
        field: name,
        expected,
      },
    );
  }
}

function fits(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!fits(item, levels - 1)) return false;
    return true;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const name in fields) if (!fits(fields[name], levels - 1)) return false;
  return true;
}
