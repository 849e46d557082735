/** Every query and every stream about objects of another experiment, with each role and by nobody. */
import type { AttackSystem } from './attack-system.js';
import type { Caller, Home } from './attackers.js';
import type { BrowserLogin } from './browser-login.js';
import type { AttackCase, Outcome } from './case.js';
import { type Attack, routeOf, send } from './http.js';
import { refusals } from './role-cases.js';
import type { Targets } from './targets.js';

/** Texts in an answer that show a foreign object. */
type Marks = (system: AttackSystem) => readonly string[];

/** Identifiers that an attacker has learned. */
type Known = Targets & Pick<BrowserLogin, 'principal'>;

/** A query or stream, and what it must not show. */
interface Read {
  /** Fields that are called, as `Query.jobs`. */
  readonly fields: readonly string[];
  /** Text without the keyword of a stream. */
  readonly text: string;
  readonly variables?: (known: Known) => object;
  readonly marks?: Marks;
  readonly home?: Home;
  readonly at?: 'identities';
  /** False where even an administrator of everything is shown nothing of it: nothing of the kind exists. */
  readonly isShown?: false;
  /** Callers that may see it. */
  readonly openTo?: readonly Caller[];
}

/** A pilot whose token is good for every experiment sees the queues of all. */
const pilots: readonly Caller[] = ['pilot'];
/** The graph is one: those who read schemas in one experiment see all of it. */
const schemaReaders: readonly Caller[] = ['operator', 'admin', 'agent', 'service'];

/** Identifiers and names of atlas. */
const ofAtlas: Marks = ({ targets }) => {
  const { job, held, task, queue, worker, secret, operation, auditEntry, atlasTask } = targets;
  const { pool, fleet, unit, workflow, dataset } = targets;
  const ids = [job, held.job.id, task, queue, worker, secret, operation, auditEntry, atlasTask];
  return [...ids, pool, fleet, unit, workflow, dataset, '"atlas"', '"atlas/'];
};

const query = (field: string, text: string, more: Omit<Read, 'fields' | 'text'> = {}): Read => ({
  fields: [`Query.${field}`],
  text,
  ...more,
});
const byId = (field: string, name: keyof Targets, select = 'id', type = 'ID!'): Read =>
  query(field, `query ($v: ${type}) { ${field}(id: $v) { ${select} } }`, {
    variables: (targets) => ({ v: targets[name] }),
  });
const ofExperiment = (experiment: string, text: string, field: string, more: Partial<Read> = {}): Read => ({
  fields: [`Query.${experiment}`, `${experiment[0]?.toUpperCase()}${experiment.slice(1)}Query.${field}`],
  text,
  ...more,
});
const stream = (field: string, text: string, more: Omit<Read, 'fields' | 'text'> = {}): Read => ({
  fields: [`Subscription.${field}`],
  text,
  marks: () => [`"${field}":{`],
  ...more,
});

const ofCore: readonly Read[] = [
  query('viewer', '{ viewer { subject submissionConsents { experimentName } } }', {
    marks: () => ['playground:newcomer', '"atlas"'],
  }),
  query('experiment', '{ experiment(name: "atlas") { id name } }'),
  query('experiments', '{ experiments { nodes { name } totalCount } }'),
  query('shares', '{ shares(experiment: "atlas") { nodes { path } } }'),
  query('policy', '{ policy(scope: { experiment: "atlas" }) { id name } }'),
  query('policies', '{ policies { nodes { id name } } }'),
  query(
    'simulatePolicy',
    '{ simulatePolicy(input: { scope: { experiment: "atlas" }, version: 1 }) { simulation { status } userErrors { code } } }',
    { marks: () => ['"COMPLETE"', '"RUNNING"'] },
  ),
  query('queue', '{ queue(name: "citadel") { name } }', { openTo: pilots }),
  query('queues', '{ queues { nodes { name } } }', { openTo: pilots }),
  query('downtimes', '{ downtimes { nodes { id } } }', {
    marks: ({ targets }) => [targets.downtime],
    openTo: pilots,
  }),
  query('hosts', '{ hosts { nodes { id } } }', { marks: ({ targets }) => [targets.host], openTo: pilots }),
  { ...byId('worker', 'worker'), openTo: pilots },
  query('workers', '{ workers { nodes { id name } } }', { openTo: pilots }),
  byId('job', 'job', 'id name'),
  query('jobs', '{ jobs(first: 100) { nodes { id experiment { name } } } }'),
  query('jobCounts', '{ jobCounts(filter: { experiments: ["atlas"] }) { experimentName count } }'),
  query('errorSummary', '{ errorSummary(filter: { experiments: ["atlas"] }) { countedSince count } }', {
    marks: () => ['"countedSince"'],
  }),
  byId('task', 'task'),
  query('tasks', '{ tasks { nodes { id } } }'),
  byId('workflow', 'workflow'),
  query('workflows', '{ workflows { nodes { id } } }', { marks: ({ targets }) => [targets.workflow] }),
  byId('dataset', 'dataset'),
  query('datasets', '{ datasets { nodes { id } } }', { marks: ({ targets }) => [targets.dataset] }),
  query('filePolicies', '{ filePolicies { nodes { id name } } }', { marks: () => ['"filePolicy_'] }),
  query(
    'fileDeletionPreview',
    'query ($v: ID!) { fileDeletionPreview(input: { experiment: "atlas", rules: { datasetId: $v, keepDays: 1 } }) { preview { fileCount } userErrors { code } } }',
    { variables: ({ dataset }) => ({ v: dataset }), marks: () => ['"fileCount"'] },
  ),
  byId('fleet', 'fleet'),
  query('fleets', '{ fleets { nodes { id } } }', { marks: ({ targets }) => [targets.fleet] }),
  byId('workPool', 'pool'),
  query('workPools', '{ workPools { nodes { id } } }', { marks: ({ targets }) => [targets.pool] }),
  byId('workUnit', 'unit'),
  query(
    'workUnitTotals',
    '{ workUnitTotals(since: "2026-01-01T00:00:00.000Z", until: "2026-01-02T00:00:00.000Z", groupBy: [POOL]) { poolId } }',
    { isShown: false },
  ),
  byId('bulkOperation', 'operation'),
  query(
    'explainRequirements',
    '{ explainRequirements(input: { experiment: "atlas" }) { pending { summary } userErrors { code } } }',
    { marks: () => ['"summary"'] },
  ),
  query(
    'pilotDemand',
    `query ($n: String!) { pilotDemand(input: { queue: $n, shapes: [{ name: "small", lifetimeSeconds: 600,
      hardware: { architecture: "x86_64", cores: 1, memoryMiB: 512, diskMiB: 512 } }] }) { demand { measuredAt } userErrors { code } } }`,
    { variables: ({ queue }) => ({ n: queue }), marks: () => ['"measuredAt"'] },
  ),
  query('hardwareMap', '{ hardwareMap { sites { queues { name } } } }', { isShown: false }),
  query('hardwareExport', '{ hardwareExport(queues: ["citadel"]) { name } }', { openTo: pilots }),
  query('gpuModels', '{ gpuModels { name } }', { isShown: false }),
  query('gpuModel', '{ gpuModel(name: "T4") { name } }', { isShown: false }),
  query('cudaReleases', '{ cudaReleases { version } }', { isShown: false }),
  query('leaseClock', '{ leaseClock { state } }', { isShown: false }),
  byId('secret', 'secret'),
  query('upload', '{ upload(id: "upload_nowhere") { id } }', { isShown: false }),
  query('uploads', '{ uploads { nodes { id } } }', { isShown: false }),
  // Those of the playground serve all experiments.
  query('storage', '{ storage(name: "of-atlas") { experiments { name } } }', { isShown: false }),
  query('storages', '{ storages { nodes { experiments { name } } } }', { isShown: false }),
  query('jobAccess', '{ jobAccess(first: 100) { nodes { id } } }', {
    marks: ({ targets }) => [targets.access],
  }),
  query('secrets', '{ secrets(experiment: "atlas") { nodes { id name } } }'),
  query(
    'heldAttempt',
    'query ($w: ID!, $j: ID!, $f: SafeInt!) { heldAttempt(workerId: $w, jobId: $j, fence: $f) { number } }',
    {
      variables: ({ worker, held }) => ({ w: worker, j: held.job.id, f: held.fence }),
      marks: () => ['"number"'],
      isShown: false,
    },
  ),
];

const ofExperiments: readonly Read[] = [
  ofExperiment('atlas', 'query ($v: ID!) { atlas { task(id: $v) { id } } }', 'task', {
    variables: ({ atlasTask: v }) => ({ v }),
    marks: ({ targets }) => [targets.atlasTask],
  }),
  ofExperiment('atlas', '{ atlas { tasks { nodes { id } totalCount } } }', 'tasks', {
    marks: ({ targets }) => [targets.atlasTask],
  }),
  ofExperiment('epic', 'query ($v: Int!) { epic { run(runNumber: $v) { runNumber } } }', 'run', {
    variables: ({ epicRun: v }) => ({ v }),
    marks: () => ['"runNumber"'],
  }),
  ofExperiment('epic', '{ epic { runs { nodes { runNumber } } } }', 'runs', { marks: () => ['"runNumber"'] }),
  ofExperiment('epic', '{ epic { liveRun(runNumber: 7) { runNumber } } }', 'liveRun', {
    marks: () => ['"runNumber"'],
  }),
  ofExperiment('epic', '{ epic { liveRuns { nodes { runNumber } } } }', 'liveRuns', {
    marks: () => ['"runNumber"'],
  }),
  ofExperiment('epic', '{ epic { siteBreakers { siteName } } }', 'siteBreakers', {
    marks: () => ['"siteName"'],
  }),
  ofExperiment('rubin', 'query ($v: ID!) { rubin { workflow(id: $v) { id } } }', 'workflow', {
    variables: ({ rubinWorkflow: v }) => ({ v }),
    marks: ({ targets }) => [targets.rubinWorkflow],
  }),
  ofExperiment('rubin', '{ rubin { workflows { nodes { id } } } }', 'workflows', {
    marks: ({ targets }) => [targets.rubinWorkflow],
  }),
  ofExperiment('larkspur', 'query ($v: ID!) { larkspur { observation(id: $v) { id } } }', 'observation', {
    home: 'atlas',
    variables: ({ larkspurObservation: v }) => ({ v }),
    marks: ({ targets }) => [targets.larkspurObservation],
  }),
  ofExperiment('larkspur', '{ larkspur { observations { nodes { id } } } }', 'observations', {
    home: 'atlas',
    marks: ({ targets }) => [targets.larkspurObservation],
  }),
];

const at = 'identities' as const;
/** A proposal about a job of atlas. */
const ofProposals: Marks = ({ targets }) => [targets.proposal];
/** Texts in a schema and in an address of atlas. */
const ofGraph: Marks = ({ origin }) => [origin('atlas'), 'AtlasTask'];

const ofGateway: readonly Read[] = [
  query('auditEntries', '{ auditEntries(first: 100) { nodes { id experimentName } } }', {
    marks: () => ['"experimentName":"atlas"'],
  }),
  byId('auditEntry', 'auditEntry'),
  { ...byId('proposal', 'proposal'), marks: ofProposals },
  query('agentBudgets', '{ agentBudgets(first: 100) { nodes { id } } }', {
    marks: ({ targets }) => [targets.agentBudget],
  }),
  query('agentStops', '{ agentStops { id } }', { marks: ({ targets }) => [targets.agentStop] }),
  query('myAgentLimits', '{ myAgentLimits { budgets { id } stops { id } } }', {
    marks: ({ targets }) => [targets.agentBudget],
  }),
  query('mandates', '{ mandates(first: 100) { nodes { id } } }', {
    marks: ({ targets }) => [targets.mandate],
  }),
  query('proposals', '{ proposals(first: 100) { nodes { id } } }', { marks: ofProposals }),
  query('tokenIssuers', '{ tokenIssuers { name experimentNames } }', { at }),
  query('tokenIssuerVersions', '{ tokenIssuerVersions(name: "institute") { nodes { revision settings } } }', {
    at,
    marks: () => ['"settings":{'],
  }),
  query('knownPrincipals', '{ knownPrincipals { nodes { id } } }', {
    at,
    marks: ({ login }) => [login.principal],
  }),
  query('knownPrincipal', 'query ($v: ID!) { knownPrincipal(id: $v) { id } }', {
    at,
    variables: ({ principal: v }) => ({ v }),
    marks: ({ login }) => [login.principal],
  }),
  query('explainToken', '{ explainToken(token: "x.y.z") { isAccepted issuerName principalId } }', {
    at,
    marks: ({ login }) => ['"institute"', login.principal],
    isShown: false,
  }),
  query('revocations', '{ revocations { value } }', { at, isShown: false }),
  query('workerEnrolments', '{ workerEnrolments { nodes { id queueName host address } } }', {
    at,
  }),
  query('groups', '{ groups { nodes { id members { nodes { principal { id } } } } } }', {
    at,
    marks: ({ targets }) => [targets.group],
  }),
  query('robots', '{ robots { nodes { id keys { id thumbprint } } } }', {
    at,
    marks: ({ targets }) => [targets.robot, targets.robotKey],
  }),
  query('elevations', '{ elevations { nodes { id reason principal { id } } } }', { at, isShown: false }),
  query('linkedIdentities', '{ linkedIdentities { principalId accounts { subject } } }', {
    at,
    isShown: false,
  }),
  query('subgraphs', '{ subgraphs { name endpoint sdl } }', { marks: ofGraph, openTo: schemaReaders }),
  query('schemaVersions', '{ schemaVersions { nodes { supergraphSdl subgraphs { endpoint } } } }', {
    marks: ofGraph,
    openTo: schemaReaders,
  }),
  query('schemaVersion', '{ schemaVersion(number: 1) { supergraphSdl subgraphs { endpoint } } }', {
    marks: ofGraph,
    openTo: schemaReaders,
  }),
  query('schemaDiff', '{ schemaDiff(from: 1, to: 1) { coordinate } }', { marks: ofGraph, isShown: false }),
  query('schemaChecks', '{ schemaChecks(subgraph: "atlas") { nodes { id findings { message } } } }', {
    marks: ofGraph,
    isShown: false,
  }),
  query('schemaUse', '{ schemaUse(coordinate: "AtlasTask.id") { requests clients { client } } }', {
    marks: ofGraph,
    isShown: false,
  }),
];

const streams: readonly Read[] = [
  stream('jobStateChanged', '{ jobStateChanged(filter: { experiments: ["atlas"] }) { cursor } }'),
  stream('jobCountsChanged', '{ jobCountsChanged(filter: { experiments: ["atlas"] }) { counts { count } } }'),
  stream('jobLogAppended', '($v: ID!) { jobLogAppended(jobId: $v) { cursor } }', {
    variables: ({ held }) => ({ v: held.job.id }),
  }),
  stream('jobProgressChanged', '($v: [ID!]!) { jobProgressChanged(ids: $v) { cursor } }', {
    variables: ({ held }) => ({ v: [held.job.id] }),
  }),
  stream('workflowChanged', '($v: ID!) { workflowChanged(id: $v) { cursor } }', {
    variables: ({ workflow: v }) => ({ v }),
  }),
  stream('fleetDecided', '($v: ID!) { fleetDecided(fleetId: $v) { cursor } }', {
    variables: ({ fleet: v }) => ({ v }),
  }),
  stream('workPoolChanged', '($v: ID!) { workPoolChanged(id: $v) { cursor } }', {
    variables: ({ pool: v }) => ({ v }),
  }),
  stream('workUnitCompleted', '($v: ID!) { workUnitCompleted(poolId: $v) { cursor } }', {
    variables: ({ pool: v }) => ({ v }),
  }),
  stream('taskProgress', '($v: ID!) { taskProgress(id: $v) { cursor } }', {
    variables: ({ task: v }) => ({ v }),
  }),
  stream('queueChanged', '{ queueChanged { event { queue { name } } } }', { marks: ofAtlas, isShown: false }),
  stream('workerChanged', '{ workerChanged { event { worker { id } } } }', {
    marks: ofAtlas,
    isShown: false,
  }),
  stream('gpuOccupancyChanged', '{ gpuOccupancyChanged { gpus { queueName } } }', {
    marks: ofAtlas,
    isShown: false,
  }),
  stream('workerCommands', '($v: ID!) { workerCommands(workerId: $v) { sequence } }', {
    variables: ({ worker: v }) => ({ v }),
  }),
  stream('atlasTaskChanged', '($v: ID!) { atlasTaskChanged(id: $v) { cursor } }', {
    variables: ({ atlasTask: v }) => ({ v }),
  }),
  stream('epicRunChanged', '($v: Int!) { epicRunChanged(runNumber: $v) { cursor } }', {
    variables: ({ epicRun: v }) => ({ v }),
  }),
  stream('epicLiveRunChanged', '{ epicLiveRunChanged(runNumber: 7) { cursor } }'),
  stream('rubinWorkflowChanged', '($v: ID!) { rubinWorkflowChanged(id: $v) { cursor } }', {
    variables: ({ rubinWorkflow: v }) => ({ v }),
  }),
  stream('larkspurObservationChanged', '($v: ID!) { larkspurObservationChanged(id: $v) { cursor } }', {
    variables: ({ larkspurObservation: v }) => ({ v }),
    home: 'atlas',
  }),
];

/** The data of an answer or of the first message of a stream; errors may repeat what was asked for. */
function dataIn(text: string): string {
  const [, message = text] = /^data: (\{.*\})$/m.exec(text) ?? [];
  try {
    return JSON.stringify((JSON.parse(message) as { readonly data?: unknown }).data ?? null);
  } catch {
    return text;
  }
}

const shown = 'SHOWS A FOREIGN OBJECT';

function attackOf({ text, variables, home = 'larkspur', fields, at: gateway }: Read, as: Caller): Attack {
  const isStream = fields[0]?.startsWith('Subscription.') === true;
  return {
    ...{ as, home, at: gateway ?? 'gateway' },
    ...(isStream && { headers: { accept: 'text/event-stream' } }),
    body: (system) => ({
      query: isStream ? `subscription ${text}` : text,
      variables: variables?.({ ...system.targets, principal: system.login.principal }) ?? {},
    }),
  };
}

function caseOf(read: Read, as: Caller, expected: AttackCase['expected'], name: string): AttackCase {
  const attack = attackOf(read, as);
  const run = async (system: AttackSystem): Promise<Outcome> => {
    const outcome = await send(system, attack);
    const marks = (read.marks ?? ofAtlas)(system);
    const data = dataIn(outcome.text);
    const mark = marks.find((one) => data.includes(one));
    if (mark === undefined) return outcome;
    const at = Math.max(0, data.indexOf(mark) - 300);
    return { ...outcome, code: shown, text: `${mark} is in …${data.slice(at, at + 500)}` };
  };
  return { name, expected, covers: [routeOf(attack), ...read.fields], run };
}

const roles = ['reader', 'user', 'production', 'operator', 'admin', 'agent', 'service', 'pilot'] as const;
const hidden = { status: 200, code: [undefined, ...refusals] };

function casesOf(read: Read): readonly AttackCase[] {
  const what = read.fields.at(-1) ?? '';
  return [
    caseOf(
      read,
      'nobody',
      { status: 401, code: 'UNAUTHENTICATED' },
      `${what} of another experiment by nobody`,
    ),
    ...roles
      .filter((as) => !(read.openTo ?? []).includes(as))
      .map((as) => caseOf(read, as, hidden, `${what} of another experiment by ${as}`)),
    ...(read.isShown === false
      ? []
      : [
          caseOf(
            read,
            'everything',
            { code: shown },
            `${what} of all experiments, which shows what it hides`,
          ),
        ]),
  ];
}

/** All of them. */
export const readCases: readonly AttackCase[] = [
  ...ofCore,
  ...ofExperiments,
  ...ofGateway,
  ...streams,
].flatMap(casesOf);
