import { z } from 'zod';
import { roles } from './actions.js';
import { createPrincipal, type Principal, principalKinds } from './principal.js';

const grant = z.object({
  experiment: z.string().min(1).max(100),
  roles: z.array(z.enum(roles)).max(roles.length),
});

/** The claims that Rhizome reads; others are left alone. */
const claims = z
  .object({
    sub: z.string().min(1).max(255),
    exp: z.number(),
    rhizome: z.object({
      kind: z.enum(principalKinds),
      grants: z.array(grant).max(1000),
      actsFor: z.string().min(1).max(255).optional(),
    }),
  })
  .superRefine(({ sub, rhizome: { kind, actsFor } }, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    if (kind === 'AGENT' && actsFor === undefined)
      refuse('rhizome.actsFor: an agent acts for a human, name them');
    if (kind !== 'AGENT' && actsFor !== undefined) refuse('rhizome.actsFor: only an agent acts for somebody');
    if (kind === 'PILOT' && !/^pilot:.+/.test(sub)) refuse('sub: the subject of a pilot is pilot:<queue>');
    if (kind === 'SERVICE' && !/^experiment:.+/.test(sub))
      refuse('sub: the subject of a service is experiment:<name>');
  });

/**
 * A principal from verified claims.
 *
 * @returns the principal, or what is wrong with the claims, in words
 */
export function principalFromClaims(payload: unknown, token: string): Principal | string {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) {
    return parsed.error.issues
      .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
      .join('; ');
  }
  const { sub, exp, rhizome } = parsed.data;
  return createPrincipal({
    kind: rhizome.kind,
    subject: sub,
    grants: rhizome.grants,
    actsFor: rhizome.actsFor,
    expiresAt: new Date(exp * 1000),
    token,
  });
}
