import { z } from '@rhizome/config';

/** No service of Rhizome: tokens for those are made in other ways. */
const audienceOfOthers = z
  .string()
  .min(1)
  .max(200)
  .regex(/^(?!urn:rhizome:)\S+$/);

/** An absolute path without segments that lead elsewhere, and with known placeholders only. */
const storagePath = z
  .string()
  .max(500)
  .regex(/^(?!.*\/\.{1,2}(\/|$))\/[^\s:]*$/)
  .regex(/^([^{}]|\{(experiment|owner|job)\})*$/);

/** Settings of issuers, principals and Rhizome's own tokens. */
export const identitySettings = z
  .strictObject({
    /** The public address of the gateway, which is the `iss` of its tokens; without it there are none. */
    issuer: z.url().optional(),
    /** Store of identities; default: that of the schema registry. */
    mongoUri: z.string().min(1).optional(),
    /** Name of the database of identities. */
    database: z.string().min(1).default('identity'),
    /** File with the key that encrypts signing keys and logins; made if there is none. */
    keyFile: z.string().min(1).optional(),
    /** YAML file with issuers and their mapping rules. */
    file: z.string().min(1).optional(),
    /** Other services that accept tokens of this issuer: callers may exchange their tokens for them. */
    otherAudiences: z.array(audienceOfOthers).max(100).default([]),
    /** Storage that trusts this issuer: payloads with a token receive tokens for it, too. */
    storages: z
      .array(
        z
          .strictObject({
            name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
            /** The `aud` of the tokens. */
            audience: audienceOfOthers,
            /** Experiments whose jobs receive tokens; `*` for all. */
            experiments: z.array(z.string().min(1)).min(1),
            /** Paths that payloads may read, with `{experiment}`, `{owner}` and `{job}`. */
            read: z.array(storagePath).default([]),
            /** Paths below which payloads may create files. */
            create: z.array(storagePath).default([]),
          })
          // A storage could give the holder of a token without a scope all rights of its account.
          .refine(({ read, create }) => read.length + create.length > 0, 'needs a path to read or to create'),
      )
      .max(20)
      .default([]),
  })
  .default({ database: 'identity', otherAudiences: [], storages: [] });
