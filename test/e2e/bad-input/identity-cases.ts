/**
 * Wrong inputs of the mutations about issuers, principals and enrolment, and their good inputs. What the
 * service itself refuses is tested next to its resolvers.
 */
import { type BadInput, casesOf, type Row } from './case.js';
import type { GoodInputs } from './good-inputs.js';

const unknownField: Row = ['an unknown field', 'colour', 'red', { code: 'BAD_USER_INPUT', names: 'colour' }];

/** A value of another type than the field has. */
function mistyped(path: string, value: unknown, names = JSON.stringify(value)): Row {
  return [`a ${path} of another type`, path, value, { code: 'BAD_USER_INPUT', names }];
}

/** Inputs of these mutations, which the playground can send only in part: other tests send all of them. */
export const identityInputs: GoodInputs = {
  setTokenIssuer: [
    'SetTokenIssuerInput',
    {
      name: 'institute',
      issuer: 'https://login.institute.example',
      profile: 'OIDC',
      audiences: ['rhizome'],
      experiments: ['larkspur'],
    },
  ],
  removeTokenIssuer: ['RemoveTokenIssuerInput', { name: 'institute' }],
  setMembership: [
    'SetMembershipInput',
    { principalId: 'usr_00000000000000000000000000', experiment: 'larkspur', roles: ['USER'] },
  ],
  revokeTokens: ['RevokeTokensInput', { kind: 'TOKEN', value: 'jti' }],
  suspendPrincipal: ['SuspendPrincipalInput', { id: 'usr_00000000000000000000000000' }],
  rotateSigningKey: ['RotateSigningKeyInput', {}],
  inviteWorkers: ['InviteWorkersInput', { queue: 'north', experiments: ['larkspur'] }],
  decideEnrolment: [
    'DecideEnrolmentInput',
    { id: 'enr_00000000000000000000000000', isApproved: true, experiments: ['larkspur'] },
  ],
  endEnrolment: ['EndEnrolmentInput', { id: 'enr_00000000000000000000000000' }],
  setGroup: ['SetGroupInput', { experiment: 'larkspur', name: 'operators', roles: ['OPERATOR'] }],
  setGroupMember: [
    'SetGroupMemberInput',
    { groupId: 'grp_00000000000000000000000000', principalId: 'usr_00000000000000000000000000' },
  ],
  startElevation: [
    'StartElevationInput',
    { experiment: 'larkspur', roles: ['OPERATOR'], reason: 'the queue of the night is stuck' },
  ],
  endElevation: ['EndElevationInput', { id: 'elv_00000000000000000000000000' }],
  linkIdentity: ['LinkIdentityInput', { token: 'x.y.z' }],
  unlinkIdentity: ['UnlinkIdentityInput', { principalId: 'usr_00000000000000000000000000' }],
  registerRobot: [
    'RegisterRobotInput',
    {
      ...{ experiment: 'larkspur', name: 'nightly', roles: ['USER'] },
      ...{ publicKey: '{}', keyExpiresAt: '2030-01-31T00:00:00Z' },
    },
  ],
  addRobotKey: [
    'AddRobotKeyInput',
    { robotId: 'svc_00000000000000000000000000', publicKey: '{}', expiresAt: '2030-01-31T00:00:00Z' },
  ],
  endRobotKey: ['EndRobotKeyInput', { id: 'rbk_00000000000000000000000000' }],
};

/** All of them. */
export const identityCases: readonly BadInput[] = [
  ...casesOf('setTokenIssuer', 'INVALID_VALUE', [
    mistyped('profile', 'SAML'),
    mistyped('maxLifetimeSeconds', 'long'),
    unknownField,
  ]),
  ...casesOf('removeTokenIssuer', 'INVALID_VALUE', [mistyped('name', 5), unknownField]),
  ...casesOf('setMembership', 'INVALID_VALUE', [
    mistyped('roles', ['PILOT'], '"PILOT"'),
    mistyped('expiresAt', 'tomorrow'),
    unknownField,
  ]),
  ...casesOf('revokeTokens', 'INVALID_VALUE', [mistyped('kind', 'EVERYTHING'), unknownField]),
  ...casesOf('suspendPrincipal', 'INVALID_VALUE', [mistyped('isSuspended', 'yes'), unknownField]),
  ...casesOf('rotateSigningKey', 'INVALID_VALUE', [mistyped('removedKeyId', 7), unknownField]),
  ...casesOf('inviteWorkers', 'INVALID_VALUE', [mistyped('uses', 'many'), unknownField]),
  ...casesOf('decideEnrolment', 'INVALID_VALUE', [mistyped('isApproved', 'yes'), unknownField]),
  ...casesOf('endEnrolment', 'INVALID_VALUE', [mistyped('id', { id: 1 }, 'input.id'), unknownField]),
  ...casesOf('setGroup', 'INVALID_VALUE', [mistyped('roles', ['PILOT'], '"PILOT"'), unknownField]),
  ...casesOf('setGroupMember', 'INVALID_VALUE', [mistyped('isMember', 'yes'), unknownField]),
  ...casesOf('startElevation', 'INVALID_VALUE', [mistyped('minutes', 'many'), unknownField]),
  ...casesOf('endElevation', 'INVALID_VALUE', [mistyped('id', { id: 1 }, 'input.id'), unknownField]),
  ...casesOf('linkIdentity', 'INVALID_VALUE', [mistyped('token', 5), unknownField]),
  ...casesOf('unlinkIdentity', 'INVALID_VALUE', [
    mistyped('principalId', { id: 1 }, 'input.principalId'),
    unknownField,
  ]),
  ...casesOf('registerRobot', 'INVALID_VALUE', [mistyped('roles', ['PILOT'], '"PILOT"'), unknownField]),
  ...casesOf('addRobotKey', 'INVALID_VALUE', [mistyped('expiresAt', 'tomorrow'), unknownField]),
  ...casesOf('endRobotKey', 'INVALID_VALUE', [mistyped('id', { id: 1 }, 'input.id'), unknownField]),
];
