/** Stored documents of outside issuers: what each is trusted for, and which claims give which rights. */
import { type Grant, type PrincipalKind, principalKinds, type Role, roles } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Forms of claims that issuers write. */
export const claimProfiles = [
  'RHIZOME',
  'WLCG',
  'SCITOKENS',
  'CILOGON',
  'EGI_CHECK_IN',
  'OIDC',
  'GITHUB',
  'GITLAB',
  'KUBERNETES',
] as const;

/** One of {@link claimProfiles}. */
export type ClaimProfile = (typeof claimProfiles)[number];

/** Values that one claim may have. A path with dots leads into nested claims. */
export interface ClaimCondition {
  readonly claim: string;
  readonly values: readonly string[];
}

/** Conditions of a rule. All that are set must hold; each holds if one of its values is in the token. */
export interface RuleCondition {
  /** True for a rule without conditions. */
  readonly everyone: boolean;
  readonly subjects: readonly string[];
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly entitlements: readonly string[];
  readonly claims: readonly ClaimCondition[];
}

/** Maps claims to rights. */
export interface MappingRule {
  readonly name: string;
  readonly when: RuleCondition;
  readonly grants: readonly Grant[];
  /** Queues for which a holder of such a token may enrol workers. */
  readonly queues: readonly string[];
}

/** Client without a secret that is registered at an issuer, with which people log in. */
export interface IssuerLogin {
  readonly clientId: string;
  /** Scopes to ask for. */
  readonly scopes: readonly string[];
  /** True if the ID token is exchanged, because access tokens of the issuer are opaque. */
  readonly hasOpaqueAccessTokens: boolean;
}

/** The part of an issuer that an administrator writes. */
export interface IssuerSettingsRecord {
  /** The `iss` of its tokens. */
  readonly issuer: string;
  readonly profile: ClaimProfile;
  /** Address of its keys; null if its metadata names it. */
  readonly jwksUri: string | null;
  /** Values of `aud`, one of which a token must have. */
  readonly audiences: readonly string[];
  /** Experiments in which its tokens may give rights; `*` for all. */
  readonly experiments: readonly string[];
  readonly kinds: readonly PrincipalKind[];
  readonly roles: readonly Role[];
  /** Upper limit of `exp - iat`. */
  readonly maxLifetimeSeconds: number;
  readonly isEnabled: boolean;
  /** Null if nobody logs in there with a program of Rhizome. */
  readonly login: IssuerLogin | null;
  readonly rules: readonly MappingRule[];
}

/** Origin of a record. One from a file is changed in the file only. */
export type IssuerSource = 'FILE' | 'API';

/** An outside issuer. */
export interface IssuerDocument extends IssuerSettingsRecord {
  /** Its short name. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly updatedBy: string;
  readonly source: IssuerSource;
}

/** One version of an issuer's record; the last one of a removed issuer has no settings. */
export interface IssuerVersionDocument {
  /** `<name>#<milliseconds>#<revision>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly name: string;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedBy: string;
  readonly source: IssuerSource;
  readonly settings: IssuerSettingsRecord | null;
}

const text = { bsonType: 'string' };
const texts = (maxItems: number) => ({ bsonType: 'array', maxItems, items: { bsonType: 'string' } });
const grantsValidator = {
  bsonType: 'array',
  maxItems: 100,
  items: {
    bsonType: 'object',
    required: ['experiment', 'roles'],
    additionalProperties: false,
    properties: { experiment: text, roles: { bsonType: 'array', items: { enum: [...roles] } } },
  },
};

/** Issuers are few and always read as a whole. */
export const issuersCollection = defineCollection<IssuerDocument>({
  name: 'issuers',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'issuer', 'profile', 'updatedBy', 'source', 'rules'],
    properties: {
      _id: { bsonType: 'string', pattern: '^[a-z][a-z0-9-]{1,62}$' },
      ...baseFields,
      issuer: { bsonType: 'string', maxLength: 2000 },
      profile: { enum: [...claimProfiles] },
      jwksUri: { bsonType: ['string', 'null'], maxLength: 2000 },
      audiences: texts(20),
      experiments: texts(200),
      kinds: { bsonType: 'array', items: { enum: [...principalKinds] } },
      roles: { bsonType: 'array', items: { enum: [...roles] } },
      maxLifetimeSeconds: { bsonType: 'int', minimum: 60 },
      isEnabled: { bsonType: 'bool' },
      login: { bsonType: ['object', 'null'], required: ['clientId', 'scopes', 'hasOpaqueAccessTokens'] },
      rules: {
        bsonType: 'array',
        maxItems: 500,
        items: {
          bsonType: 'object',
          required: ['name', 'when', 'grants', 'queues'],
          properties: {
            name: text,
            when: { bsonType: 'object' },
            grants: grantsValidator,
            queues: texts(100),
          },
        },
      },
      updatedBy: text,
      source: { enum: ['FILE', 'API'] },
    },
  },
  indexes: [
    { name: 'issuer_uq', keys: { issuer: 1 }, options: { unique: true }, why: 'one record for each `iss`' },
  ],
});

/** History of the issuers. Documents are only inserted. */
export const issuerVersionsCollection = defineCollection<IssuerVersionDocument>({
  name: 'issuerVersions',
  schemaVersion: 1,
  validator: {
    required: ['name', 'revision', 'createdAt', 'updatedBy', 'source', 'settings'],
    properties: {
      name: text,
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      updatedBy: text,
      source: { enum: ['FILE', 'API'] },
      settings: { bsonType: ['object', 'null'] },
    },
  },
  indexes: [
    {
      name: 'name_createdAt_idx',
      keys: { name: 1, createdAt: -1 },
      why: 'the history of an issuer, newest first',
    },
  ],
});
