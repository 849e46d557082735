/** Issuers and their rules in a YAML file. */
import { principalKinds, roles } from '@rhizome/authz';
import { loadConfig, z } from '@rhizome/config';
import { DomainError, InputErrors } from '@rhizome/errors';
import { claimProfiles, type IssuerSettingsRecord } from './issuer.document.js';
import { checkIssuer } from './issuer-input.js';

const texts = z.array(z.string()).default([]);

const rule = z.strictObject({
  name: z.string(),
  when: z
    .strictObject({
      everyone: z.boolean().default(false),
      subjects: texts,
      groups: texts,
      scopes: texts,
      entitlements: texts,
      claims: z.record(z.string(), z.union([z.array(z.coerce.string()), z.coerce.string()])).default({}),
    })
    .transform(({ claims, ...lists }) => ({
      ...lists,
      claims: Object.entries(claims).map(([claim, values]) => ({
        claim,
        values: Array.isArray(values) ? values : [values],
      })),
    })),
  grants: z.array(z.strictObject({ experiment: z.string(), roles: z.array(z.enum(roles)) })).default([]),
  queues: texts,
});

const issuer = z.strictObject({
  name: z.string(),
  issuer: z.string(),
  profile: z.enum(claimProfiles),
  jwksUri: z.string().nullable().default(null),
  audiences: z.array(z.string()),
  experiments: texts,
  kinds: z.array(z.enum(principalKinds)).default(['HUMAN']),
  roles: z.array(z.enum(roles)).default(['USER', 'READER']),
  maxLifetimeSeconds: z
    .number()
    .int()
    .default(6 * 3600),
  isEnabled: z.boolean().default(true),
  login: z
    .strictObject({
      clientId: z.string(),
      scopes: z.array(z.string()).default(['openid']),
      hasOpaqueAccessTokens: z.boolean().default(false),
    })
    .nullable()
    .default(null),
  rules: z.array(rule).default([]),
});

/** An issuer of a file. */
export interface NamedIssuer {
  readonly name: string;
  readonly settings: IssuerSettingsRecord;
}

/**
 * Reads the file.
 * @throws DomainError CONFIG_INVALID with all errors
 */
export function readIssuerFile(file: string): readonly NamedIssuer[] {
  const schema = z.object({ issuers: z.array(issuer).default([]) });
  const { issuers } = loadConfig({ schema, env: {}, prefix: 'RHIZOME_IDENTITY_', file });
  const found = issuers.map(({ name, ...settings }) => ({ name, settings }));
  const faults = found.flatMap(({ name, settings }, at) => {
    const errors = new InputErrors();
    checkIssuer(name, settings, errors);
    return errors.all.map(({ message }) => `issuers.${at}.${message}`);
  });
  if (faults.length === 0) return found;
  const text = `${file}: the issuers have errors:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`;
  throw new DomainError('CONFIG_INVALID', text, {
    field: 'identity.file',
    value: file,
    expected: faults.join('; '),
  });
}
