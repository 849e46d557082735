/** Questions of core to a gateway about the rights that principals have now, and the answers. */
import { DomainError } from '@rhizome/errors';
import { z } from 'zod';
import { grant, maxGroups, maxIdentities, name, numericDate } from './claim-forms.js';
import type { RightsHolder, RightsNow } from './current-rights.js';

/** The `iss` of the tokens by which core processes ask. */
export const coreIssuer = 'urn:rhizome:core';

/** The subgraph that such a token is for: the gateway's own endpoint. */
export const rightsAudience = 'rights';

/** Path of the endpoint at a gateway. */
export const rightsPath = '/identity/rights';

/** Maximum number of principals in one question. */
export const maxRightsHolders = 100;

const holder = z.strictObject({
  subject: name,
  actsFor: name.optional(),
  issuer: z.string().min(1).max(2000).optional(),
  tokenId: name.optional(),
  issuedAt: numericDate.optional(),
});

const question = z.strictObject({ holders: z.array(holder).min(1).max(maxRightsHolders) });

const answer = z.object({
  rights: z.array(
    z.object({
      isRevoked: z.boolean(),
      grants: z.array(grant).optional(),
      ready: z.array(grant).optional(),
      groups: z.array(name).max(maxGroups).optional(),
      linked: z.array(name).max(maxIdentities).optional(),
    }),
  ),
});

/** The text of a question. */
export function writeRightsQuestion(holders: readonly RightsHolder[]): string {
  return JSON.stringify({
    holders: holders.map(({ subject, actsFor, issuer, tokenId, issuedAt }) => ({
      ...{ subject, actsFor, issuer, tokenId },
      issuedAt: issuedAt && issuedAt.getTime() / 1000,
    })),
  });
}

/** The principals of a question. @throws DomainError BAD_REQUEST */
export function readRightsQuestion(body: unknown): readonly RightsHolder[] {
  const { holders } = parse(question, body);
  return holders.map(({ issuedAt, ...rest }) => ({
    ...rest,
    issuedAt: issuedAt === undefined ? undefined : new Date(issuedAt * 1000),
  }));
}

/** The text of an answer, in the order of the question. */
export function writeRightsAnswer(rights: readonly RightsNow[]): string {
  return JSON.stringify({ rights });
}

/** The rights in an answer. @throws DomainError BAD_REQUEST if it is none */
export function readRightsAnswer(body: unknown): readonly RightsNow[] {
  return parse(answer, body).rights.map(({ isRevoked, grants, ready, groups, linked }) => ({
    ...{ isRevoked, grants },
    ...(ready && { ready }),
    ...(groups && { groups }),
    ...(linked && { linked }),
  }));
}

function parse<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new DomainError('BAD_REQUEST', `${field || 'body'}: ${issue?.message ?? 'is not valid'}`, { field });
}
