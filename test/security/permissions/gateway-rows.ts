/** Calls of the gateway's own fields: the audit log, identities and the schema registry. */
import { robotInput, robotKeyInput } from '../robot-inputs.js';
import { type Objects, issuerOf, mandateOn } from './objects.js';
import { mutation, query, type Rows } from './row.js';
import { subjectOf } from './world.js';

type Named = readonly { readonly name?: string; readonly id?: string }[];

const includes =
  (name: 'institute' | 'principalId' | 'groupId' | 'robotId' | 'elevationId') =>
  (value: unknown, objects: Objects): boolean => {
    const list = (Array.isArray(value) ? value : (value as { nodes: Named }).nodes) as Named;
    return list.some((one) => (one.name ?? one.id) === objects[name]);
  };
const isAnswered = (): boolean => true;

const auditRows: Rows = [
  query(
    'auditEntries',
    'query ($e: String) { auditEntries(filter: { experiment: $e }) { nodes { id } } }',
    ({ experiment: e }) => ({ e }),
  ),
  query('auditEntry', 'query ($id: ID!) { auditEntry(id: $id) { id } }', ({ auditEntryId: id }) => ({ id })),
];

const identityRows: Rows = [
  query('tokenIssuers', '{ tokenIssuers { name } }', undefined, { found: includes('institute') }),
  query(
    'tokenIssuerVersions',
    'query ($n: String!) { tokenIssuerVersions(name: $n) { nodes { revision } } }',
    ({ institute: n }) => ({ n }),
  ),
  query('knownPrincipals', '{ knownPrincipals(first: 100) { nodes { id } } }', undefined, {
    found: includes('principalId'),
  }),
  query('knownPrincipal', 'query ($id: ID!) { knownPrincipal(id: $id) { id } }', ({ principalId: id }) => ({
    id,
  })),
  query('explainToken', '{ explainToken(token: "x.y.z") { isAccepted } }'),
  query('revocations', '{ revocations { value } }', undefined, { found: isAnswered }),
  query(
    'workerEnrolments',
    'query ($q: String) { workerEnrolments(queue: $q) { nodes { id } } }',
    ({ queue: q }) => ({ q }),
  ),
  query('groups', '{ groups(first: 100) { nodes { id } } }', undefined, { found: includes('groupId') }),
  query('robots', '{ robots(first: 100) { nodes { id } } }', undefined, { found: includes('robotId') }),
  query('elevations', '{ elevations(first: 100) { nodes { id } } }', undefined, {
    found: includes('elevationId'),
  }),
  query('linkedIdentities', '{ linkedIdentities { principalId } }', undefined, { found: isAnswered }),
  mutation('setTokenIssuer', ({ experiment, institute }) => issuerOf(institute, experiment)),
  mutation('removeTokenIssuer', ({ issuer: name }) => ({ name })),
  mutation('setMembership', ({ principalId, experiment }) => ({
    ...{ principalId, experiment, roles: ['USER'] },
  })),
  mutation('suspendPrincipal', ({ principalId: id }) => ({ id, isSuspended: false })),
  mutation('rotateSigningKey', () => ({ removedKeyId: 'nowhere' })),
  mutation('inviteWorkers', ({ queue, experiment }) => ({ queue, experiments: [experiment] })),
  mutation('decideEnrolment', ({ pendingId: id, experiment }) => ({
    ...{ id, isApproved: true, experiments: [experiment] },
  })),
  mutation('endEnrolment', ({ enrolmentId: id }) => ({ id })),
  mutation('setGroup', ({ experiment }) => ({ experiment, name: 'crew', roles: ['READER'] })),
  mutation('setGroupMember', ({ groupId, principalId }) => ({ groupId, principalId })),
  mutation('startElevation', ({ experiment }) => ({
    ...{ experiment, roles: ['OPERATOR'], reason: 'the queue of the night is stuck' },
  })),
  mutation('endElevation', ({ ownElevationId: id }) => ({ id })),
  mutation('linkIdentity', () => ({ token: 'x.y.z' })),
  mutation('unlinkIdentity', ({ principalId }) => ({ principalId })),
  mutation('registerRobot', ({ experiment }) => robotInput(experiment)),
  mutation('addRobotKey', ({ ownRobotId }) => robotKeyInput(ownRobotId)),
  mutation('endRobotKey', ({ ownRobotKeyId: id }) => ({ id })),
];

const proposed = {
  operation: 'mutation ($i: SetJobPriorityInput!) { setJobPriority(input: $i) { userErrors { code } } }',
  reason: 'of the table',
};
const proposalRows: Rows = [
  query('proposal', 'query ($id: ID!) { proposal(id: $id) { id } }', ({ proposalId: id }) => ({ id })),
  query('proposals', '{ proposals(first: 100) { nodes { id } } }', undefined, {
    found: (value, { proposalId }) => (value as { nodes: Named }).nodes.some(({ id }) => id === proposalId),
  }),
  mutation('createProposal', ({ jobId }) => ({
    ...{ ...proposed, variables: { i: { selection: { ids: [jobId] }, priority: 2 } } },
  })),
  mutation('denyProposal', ({ proposalId: id }) => ({ id })),
  mutation('approveProposal', ({ proposalId: id }) => ({ id })),
  mutation('withdrawProposal', ({ proposalId: id }) => ({ id })),
];

const agentRows: Rows = [
  query('agentBudgets', '{ agentBudgets(first: 100) { nodes { id } } }', undefined, {
    found: (value, { budgetId }) => (value as { nodes: Named }).nodes.some(({ id }) => id === budgetId),
  }),
  query('agentStops', '{ agentStops { id } }', undefined, {
    found: (value, { stopId }) => (value as unknown as Named).some(({ id }) => id === stopId),
  }),
  query('myAgentLimits', '{ myAgentLimits { budgets { id } } }', undefined, { found: isAnswered }),
  query('mandates', '{ mandates(first: 100) { nodes { id } } }', undefined, {
    found: (value, { mandateId }) => (value as { nodes: Named }).nodes.some(({ id }) => id === mandateId),
  }),
  mutation('grantMandate', ({ experiment, stoppedAgent: agent }) => mandateOn(experiment, `no-${agent}`)),
  mutation('revokeMandate', ({ mandateId: id }) => ({ id })),
  mutation('setAgentBudget', ({ experiment, stoppedAgent: agent }) => ({
    ...{ experiment, agent, unit: 'CALLS', window: 'DAY', limit: 10 },
  })),
  mutation('stopAgents', ({ experiment, stoppedAgent: agent }) => ({ experiment, agent, reason: 'test' })),
  mutation('resumeAgents', ({ experiment, stoppedAgent: agent }) => ({ experiment, agent: `no-${agent}` })),
];

const home = 'larkspur';
const subgraph = home;
const registryRows: Rows = [
  query('subgraphs', '{ subgraphs { name } }', undefined, { home }),
  query('schemaVersions', '{ schemaVersions { nodes { number } } }', undefined, { home }),
  query('schemaVersion', '{ schemaVersion(number: 1) { number } }', undefined, { home }),
  query('schemaDiff', '{ schemaDiff(from: 1, to: 1) { coordinate } }', undefined, {
    home,
    found: isAnswered,
  }),
  query('schemaUse', '{ schemaUse(coordinate: "Job.id") { requests } }', undefined, { home }),
  mutation('checkSchema', () => ({ subgraph }), { home }),
  query('schemaChecks', '{ schemaChecks { nodes { id } } }', undefined, { home }),
  mutation(
    'registerSubgraph',
    () => ({ name: subgraph, endpoint: `http://${subgraph}.test/graphql`, typePrefix: 'Larkspur' }),
    { home },
  ),
  mutation('publishSchema', () => ({ subgraph, note: 'as it is' }), { home }),
  mutation('rollbackSchema', () => ({ subgraph, version: 999 }), { home }),
  mutation('withdrawSubgraph', () => ({ subgraph, note: 'test' }), { home }),
];

/** The last row: it ends the tokens of its caller. */
const revocation = mutation('revokeTokens', ({ principalId }, caller, target) => ({
  ...{ kind: 'PRINCIPAL', value: target === 'own' ? subjectOf(caller) : principalId },
}));

/** The rows. */
export const gatewayRows: Rows = [
  ...[...auditRows, ...identityRows, ...proposalRows, ...agentRows, ...registryRows],
  revocation,
];
