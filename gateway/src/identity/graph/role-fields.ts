/** Fields that memberships, groups and elevations share. */
import type { Grant } from '@rhizome/authz';
import type { GrantableRole } from '../../types.generated.js';

/** The roles without that of workers, which nobody gives. */
export function grantable(roles: Grant['roles']): GrantableRole[] {
  return roles.filter((role): role is GrantableRole => role !== 'PILOT');
}

interface EndInput {
  readonly expiresAt?: Date | null | undefined;
  readonly reason?: string | null | undefined;
}

/** The end of roles and the reason for them; null for what an input leaves out. */
export function endOf({ expiresAt = null, reason = null }: EndInput) {
  return { expiresAt, reason };
}

/** The experiment of the input of a mutation, for its policy. */
export function experimentOfInput(call: { readonly args: unknown }): string | null {
  const { input } = call.args as { readonly input: { readonly experiment?: unknown } };
  return typeof input.experiment === 'string' ? input.experiment : null;
}
