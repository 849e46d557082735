/** Conventions of the public schema: what a client of one connection has learned holds for all others. */
import { describe, expect, it } from '@jest/globals';
import { tokenKinds } from '@rhizome/authz';
import {
  buildSchema,
  getNamedType,
  type GraphQLArgument,
  type GraphQLObjectType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
} from 'graphql';
import { read } from './repository.js';

const schema = buildSchema(read('schema/public.graphql'));
const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const objects = types.filter(isObjectType);
const fieldsOf = (type: GraphQLObjectType) =>
  Object.fromEntries(Object.values(type.getFields()).map((field) => [field.name, String(field.type)]));

/** Arguments of a field; fields of inputs have none. */
const argumentsOf = (field: object): readonly GraphQLArgument[] =>
  'args' in field ? (field.args as readonly GraphQLArgument[]) : [];

describe('descriptions', () => {
  it('never begin with Whether, What, Why, How or Who', () => {
    const described = types.flatMap((type) => [
      { place: type.name, description: type.description },
      ...(isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)
        ? Object.values(type.getFields()).flatMap((field) => [
            { place: `${type.name}.${field.name}`, description: field.description },
            ...argumentsOf(field).map(({ name, description }) => ({
              place: `${type.name}.${field.name}(${name}:)`,
              description,
            })),
          ])
        : []),
      ...(isEnumType(type)
        ? type.getValues().map(({ name, description }) => ({ place: `${type.name}.${name}`, description }))
        : []),
    ]);
    expect(described.length).toBeGreaterThan(1000);
    const others = described.filter(({ description }) =>
      /^(Whether|What|Why|How|Who)\b/.test(description ?? ''),
    );
    expect(others).toEqual([]);
  });
});

describe('Boolean fields', () => {
  it('always have a name that is a statement, in outputs, inputs and arguments', () => {
    const isBoolean = ({ type }: { readonly type: unknown }) => /^Boolean!?$/.test(String(type));
    const named = types.flatMap((type) => {
      if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return [];
      return Object.values(type.getFields()).flatMap((field) => [
        ...(isBoolean(field) ? [[`${type.name}.${field.name}`, field.name] as const] : []),
        ...argumentsOf(field)
          .filter(isBoolean)
          .map(
            ({ name }: { readonly name: string }) => [`${type.name}.${field.name}(${name}:)`, name] as const,
          ),
      ]);
    });
    expect(named.length).toBeGreaterThan(30);
    const others = named.filter(([, name]) => !/^(is|has|can|viewerCan)[A-Z]/.test(name));
    expect(others.map(([place]) => place)).toEqual([]);
  });
});

describe('connections', () => {
  const connections = objects.filter(({ name }) => name.endsWith('Connection'));

  it.each(connections.map((type) => [type.name, type] as const))(
    'follows the Relay specification: %s',
    (name, type) => {
      const node = name.replace(/Connection$/, '');
      expect(fieldsOf(type)).toEqual({
        edges: `[${node}Edge!]!`,
        nodes: `[${node}!]!`,
        pageInfo: 'PageInfo!',
        totalCount: 'Int',
      });
      expect(Object.keys(fieldsOf(type))).toEqual(['edges', 'nodes', 'pageInfo', 'totalCount']);
      const edge = schema.getType(`${node}Edge`);
      if (!isObjectType(edge)) throw new Error(`${node}Edge is missing`);
      expect(Object.entries(fieldsOf(edge))).toEqual([
        ['cursor', 'String!'],
        ['node', `${node}!`],
      ]);
    },
  );

  it('has a page information with all four fields', () => {
    expect(fieldsOf(schema.getType('PageInfo') as GraphQLObjectType)).toEqual({
      hasNextPage: 'Boolean!',
      hasPreviousPage: 'Boolean!',
      startCursor: 'String',
      endCursor: 'String',
    });
  });

  it('is the type of every field that takes `first`', () => {
    const paged = types
      .filter((type) => isObjectType(type) || isInterfaceType(type))
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field }) => field.args.some(({ name }) => name === 'first'));
    expect(paged.length).toBeGreaterThan(10);
    const others = paged.filter(
      ({ field }) =>
        !/Connection!?$/.test(String(field.type)) || !field.args.some(({ name }) => name === 'after'),
    );
    // A log is followed live from the end of a page, also of an empty one: its cursor is never null.
    expect(others.map(({ type, field }) => `${type.name}.${field.name}: ${field.type}`)).toEqual([
      'Job.log: JobLogPage!',
    ]);
  });
});

describe('a field that refers to an object', () => {
  /** Names of fields that refer to an object which has a type, as a list or not. */
  const referring =
    /^(actor|actsFor|experiment|human|job|owner|principal|queue|share|site|subgraph|task|viewer|worker)s?$|[a-z]By$/;
  /** The object's name or identifier next to the object, such as `queueName`. */
  const keyed = /^(experiment|queue|site|share|subgraph|task|worker|principal|job)(Name|Id|Path)s?$/;
  /** Fields whose text is no reference. */
  const texts: Readonly<Record<string, string>> = {
    'HardwareExport.site': 'the export keeps the form of information systems',
    'PolicyMatch.sites': 'a rule may name what does not exist yet or any more',
    'PolicyMatch.queues': 'a rule may name what does not exist yet or any more',
  };
  /** Keys without an object next to them. */
  const keysAlone: Readonly<Record<string, string>> = {
    'BulkRefusal.jobId': 'the job may not exist',
    'DiagnosisHelp.jobIds': 'the jobs are evidence; who needs them reads them by id',
    'DiagnosisTarget.queueName': 'evidence names objects of any kind by their keys',
    'HostEvidence.jobIds': 'operators of queues may not read jobs of all owners',
    'JobNodeFile.jobId': 'those who read the file need nothing else of the job',
    'JobPreemption.jobId': 'the owner of one job may not read the other',
    'QueueCanary.sharePath': 'those who see the queue may not read the share',
    'SignedFile.jobId': 'the worker that gets the address has the job already',
    'Storage.queueNames': 'those who see the storage may not see the queues',
    'WorkUnitCompletedEvent.jobId': 'those who see the units may not read the job',
    'WorkUnitCompletion.jobId': 'those who see the units may not read the job',
    'WorkUnitError.jobId': 'those who see the units may not read the job',
    'WorkUnitLease.jobId': 'those who see the units may not read the job',
    'WorkerCommand.jobId': 'the worker that gets the command has the job already',
  };
  const fields = objects.flatMap((type) =>
    Object.values(type.getFields()).map((field) => ({ path: `${type.name}.${field.name}`, type, field })),
  );
  const isText = ({ field }: (typeof fields)[number]) =>
    ['String', 'ID'].includes(getNamedType(field.type).name);

  it('has the type of the object', () => {
    const found = fields.filter(({ field }) => referring.test(field.name));
    expect(found.length).toBeGreaterThan(60);
    expect(found.filter(isText).map(({ path }) => path)).toEqual(Object.keys(texts));
  });

  it('is next to the name or identifier of the object', () => {
    const found = fields.filter((one) => keyed.test(one.field.name) && isText(one));
    expect(found.length).toBeGreaterThan(20);
    const alone = found.filter(({ field, type }) => {
      const [, stem = ''] = keyed.exec(field.name) ?? [];
      const name = field.name.endsWith('s') ? `${stem}s` : stem;
      return type.getFields()[name] === undefined;
    });
    expect(alone.map(({ path }) => path).sort()).toEqual(Object.keys(keysAlone).sort());
  });
});

describe('an enum', () => {
  const valuesOf = (name: string): readonly string[] => {
    const type = schema.getType(name);
    return isEnumType(type) ? type.getValues().map((value) => value.name) : [];
  };

  it('is the type of every field that is called kind, state, role or the like', () => {
    /** Sets that are open, or in the terms of another system. */
    const open: Readonly<Record<string, string>> = {
      'AttemptFilter.errorCodes': 'workers define further codes',
      'AuditEntry.codes': 'codes of all errors of all services',
      'CanaryResult.errorCode': 'workers define further codes',
      'Device.partitionMode': 'the terms of the vendor',
      'DeviceInput.partitionMode': 'the terms of the vendor',
      'ErrorFilter.codes': 'workers define further codes',
      'ErrorGroup.code': 'workers define further codes',
      'ErrorTotal.code': 'workers define further codes',
      'HardwareExport.status': 'the export keeps the form of information systems',
      'HardwareExportEntry.type': 'the export keeps the form of information systems',
      'HostErrorCount.code': 'workers define further codes',
      'InviteWorkersPayload.code': 'the secret of an invitation',
      'JobError.code': 'workers define further codes',
      'JobErrorInput.code': 'workers define further codes',
      'PolicyMatch.codes': 'workers have codes of their own',
      'PolicyMatchInput.codes': 'workers have codes of their own',
      'ProposalError.code': 'mutations have codes of their own',
      'ProposalTarget.state': 'states of objects of several types',
      'ProposalTarget.type': 'types of further objects may follow',
      'RubinFailure.code': 'workers define further codes',
      'RubinQuantumRun.errorCode': 'workers define further codes',
      'SchemaChange.kind': 'the terms of GraphQL Inspector',
    };
    const found = types.flatMap((type) => {
      if (!isObjectType(type) && !isInputObjectType(type)) return [];
      return Object.values(type.getFields())
        .filter(({ name }) => /(^|[a-z])(kind|state|status|role|type|mode|method|code|phase)s?$/i.test(name))
        .filter(({ type: of }) => /^\[?String\b/.test(String(of)))
        .map(({ name }) => `${type.name}.${name}`);
    });
    expect(found.sort()).toEqual(Object.keys(open).sort());
  });

  it('has each kind of token that a caller can have', () => {
    expect(valuesOf('TokenKind')).toEqual(tokenKinds.filter((kind) => kind !== 'CALL'));
  });

  it('never has the same values as another one, except codes of errors', () => {
    const named = types
      .filter(isEnumType)
      .filter(({ name }) => !name.endsWith('UserErrorCode'))
      .map(({ name }) => [valuesOf(name).toSorted().join(), name] as const);
    const twins = named.filter(([values, name]) =>
      named.some(([others, other]) => others === values && other !== name),
    );
    expect(twins).toEqual([]);
  });
});

describe('the schema that GraphiQL shows a user', () => {
  const hidden = new Set(JSON.parse(read('gateway/pages/hidden-tags.json')) as string[]);
  const roots = parse(read('schema/supergraph.graphql')).definitions.filter(
    (one): one is ObjectTypeDefinitionNode =>
      one.kind === Kind.OBJECT_TYPE_DEFINITION &&
      ['Query', 'Mutation', 'Subscription'].includes(one.name.value),
  );
  const tagged = roots.flatMap(({ name: root, fields = [] }) =>
    fields.map(({ name, directives = [] }) => ({
      path: `${root.value}.${name.value}`,
      tags: directives
        .filter((one) => one.name.value === 'tag')
        .flatMap(({ arguments: given = [] }) =>
          given.map(({ value }) => (value.kind === Kind.STRING ? value.value : '')),
        ),
    })),
  );

  const forUsers: Readonly<Record<string, string>> = {
    Query:
      'agentBudgets agentStops atlas bulkOperation cudaReleases dataset datasets downtimes elevations epic errorSummary experiment experiments explainRequirements explainToken fileDeletionPreview filePolicies fleet fleets gpuModel gpuModels hardwareExport hardwareMap hosts job jobAccess jobCounts jobs larkspur leaseClock linkedIdentities mandates myAgentLimits policies policy proposal proposals queue queues rubin secret secrets shares simulatePolicy storage storages task tasks upload uploads viewer worker workers workflow workflows workPool workPools workUnit workUnitTotals',
    Mutation:
      'abortTask addPolicyVersion allowSubmissionOnBehalf announceEpicLiveRun announceEpicRunState announceEpicTimeFrames appendDatasetFiles appendWorkflowNodes approveProposal cancelDowntime cancelJobs cancelWorkflow changeDowntime changeTask clearHost cloneWorkflow closeDataset closeWorkPool completeUpload createDataset createFleet createProposal createQueue createSecret createStorage createUpload createWorkPool declareDowntime deleteDatasetFiles deleteSecret denyProposal disablePolicy drainFleet drainWorker enablePolicy endElevation endScouting excludeHost finishTask grantJobAccess grantMandate holdJobs importDowntimes linkIdentity markWorkflowNodes pauseFleet pauseTask pauseWorkflow pinHost prewarmFleet publishWorkUnits registerExperiment releaseJobs removeDataset removeStorage removeUpload reportEndedBatchJobs restoreDatasetFiles resubmitWorkUnits resumeAgents resumeFleet resumeTask resumeWorkflow retryJobs retryRubinWorkflow retryWorkflow ' +
      'revokeJobAccess revokeMandate revokeTokens rotateSecret sealWorkflow setAgentBudget setDatasetReplicas setEpicSiteFeed setFilePolicy setJobPriority setQueueState setShares setStorage startElevation stopAgents submitAtlasTask submitEpicRun submitJobs submitLarkspurObservation submitRubinWorkflow submitTask submitWorkflow unlinkIdentity updateExperiment updateFleet updateQueue withdrawProposal withdrawSubmissionConsent',
    Subscription:
      'atlasTaskChanged epicLiveRunChanged epicRunChanged fleetDecided gpuOccupancyChanged jobCountsChanged jobLogAppended jobProgressChanged jobStateChanged larkspurObservationChanged queueChanged rubinWorkflowChanged taskProgress workPoolChanged workUnitCompleted workerChanged workflowChanged',
  };

  it('hides every tag of a root field', () => {
    const tags = new Set(tagged.flatMap(({ tags: found }) => found));
    expect([...hidden].sort()).toEqual([...tags].sort());
  });

  it('has the fields that users call; a field for others carries a tag', () => {
    const shown = tagged.filter(({ tags }) => tags.length === 0).map(({ path }) => path);
    const expected = Object.entries(forUsers).flatMap(([root, names]) =>
      names.split(' ').map((name) => `${root}.${name}`),
    );
    expect(shown.sort()).toEqual(expected.sort());
  });
});
