/** Stored documents of principals, their identities at issuers, and their memberships. */
import { type Role, roles } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Kinds of principals that have a document of their own. */
export const storedKinds = ['HUMAN', 'SERVICE', 'AGENT'] as const;

/** A role that the last token of an account gave, and the rule that gave it. */
export interface LoginGrant {
  readonly rule: string;
  readonly experiment: string;
  readonly role: Role;
}

/** Rights that the last token of an account gave. */
export interface LoginRecord {
  /** Id of the account. */
  readonly account: string;
  /** The `iss` of its issuer. */
  readonly issuer: string;
  readonly grants: readonly LoginGrant[];
  readonly at: Date;
}

/** Facts about a robot: a service that authenticates with its own keys. */
export interface RobotFacts {
  /** Experiment whose managers manage its keys. */
  readonly experiment: string;
  readonly registeredBy: string;
}

/** Somebody who has logged in, software that has exchanged a token, or a robot. */
export interface PrincipalDocument {
  /** `usr_…`, `svc_…` or `agt_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly kind: (typeof storedKinds)[number];
  readonly displayName: string | null;
  readonly isSuspended: boolean;
  /** The human that an agent acts for. */
  readonly actsFor: string | null;
  /** The last login of each account; absent before the first one, and for agents. */
  readonly logins?: readonly LoginRecord[];
  /** Absent for all others. */
  readonly robot?: RobotFacts;
  /**
   * Id of the person, `person_…`; absent for a principal without links. Principals with the same one are
   * identities of one person.
   */
  readonly personId?: string;
  /** Time at which it was linked. */
  readonly linkedAt?: Date;
}

/** A principal that is a robot. */
export interface RobotDocument extends PrincipalDocument {
  readonly displayName: string;
  readonly robot: RobotFacts;
}

/** An account at an issuer. */
export interface IdentityDocument {
  /** SHA-256 of `iss` and `sub`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly issuer: string;
  readonly subject: string;
  readonly principalId: string;
}

/** Roles that a principal has in an experiment by a membership or a group. */
export interface HeldRoles {
  readonly principalId: string;
  readonly experiment: string;
  readonly roles: readonly Role[];
  /** Roles that an elevation can give. */
  readonly elevatableRoles?: readonly Role[];
  /** Group that gives the roles. */
  readonly groupId?: string;
  /** Null for no end. */
  readonly expiresAt: Date | null;
}

/** A source of roles that do not come from tokens. */
export interface RoleSource {
  /** Roles of principals that have not ended. */
  rolesOf(principalIds: readonly string[], now: Date): Promise<readonly HeldRoles[]>;
}

/** Roles of a principal in an experiment that do not come from a token. */
export interface MembershipDocument {
  /** `<principalId>:<experiment>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly principalId: string;
  readonly experiment: string;
  readonly roles: readonly Role[];
  /** Roles that the principal may take for a short time, with a reason; absent for none. */
  readonly elevatableRoles?: readonly Role[];
  /** Null for no end. */
  readonly expiresAt: Date | null;
  readonly reason: string | null;
  readonly updatedBy: string;
}

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };

/** Principals. */
export const principalsCollection = defineCollection<PrincipalDocument>({
  name: 'principals',
  schemaVersion: 2,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'kind', 'displayName', 'isSuspended', 'actsFor'],
    properties: {
      ...baseFields,
      kind: { enum: [...storedKinds] },
      displayName: textOrNull,
      isSuspended: { bsonType: 'bool' },
      actsFor: textOrNull,
      logins: { bsonType: 'array', maxItems: 100, items: { bsonType: 'object' } },
      robot: { bsonType: 'object' },
      personId: text,
      linkedAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'logins_experiment_idx',
      keys: { 'logins.grants.experiment': 1 },
      why: 'the principals whose logins gave rights in an experiment',
    },
    { name: 'actsFor_idx', keys: { actsFor: 1 }, why: 'the agents of a person' },
    {
      name: 'personId_idx',
      keys: { personId: 1 },
      options: { partialFilterExpression: { personId: { $exists: true } } },
      why: 'the identities of a person',
    },
    {
      name: 'robot_experiment_idx',
      keys: { 'robot.experiment': 1, createdAt: -1, _id: -1 },
      options: { partialFilterExpression: { robot: { $exists: true } } },
      why: 'the robots of some experiments, the newest first',
    },
  ],
});

/** Accounts at issuers. */
export const identitiesCollection = defineCollection<IdentityDocument>({
  name: 'identities',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'issuer', 'subject', 'principalId'],
    properties: { ...baseFields, issuer: text, subject: text, principalId: text },
  },
  indexes: [{ name: 'principalId_idx', keys: { principalId: 1 }, why: 'the accounts of a principal' }],
});

/** Memberships. */
export const membershipsCollection = defineCollection<MembershipDocument>({
  name: 'memberships',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'principalId',
      'experiment',
      'roles',
      'expiresAt',
      'updatedBy',
    ],
    properties: {
      ...baseFields,
      principalId: text,
      experiment: text,
      roles: { bsonType: 'array', maxItems: roles.length, items: { enum: [...roles] } },
      elevatableRoles: { bsonType: 'array', maxItems: roles.length, items: { enum: [...roles] } },
      expiresAt: { bsonType: ['date', 'null'] },
      reason: textOrNull,
      updatedBy: text,
    },
  },
  indexes: [
    { name: 'principalId_idx', keys: { principalId: 1 }, why: 'the memberships of a principal' },
    {
      name: 'experiment_idx',
      keys: { experiment: 1, principalId: 1 },
      why: 'the principals with a membership in an experiment',
    },
  ],
});
