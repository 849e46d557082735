/** For tests: calls about workflows of Rubin. */

/** Submits a workflow. */
export const submit = `mutation ($input: SubmitRubinWorkflowInput!) {
  submitRubinWorkflow(input: $input) { workflow { id totalQuanta workflow { id } } userErrors { code path message } }
}`;
/** Retries a workflow. */
export const retry = `mutation ($input: RetryRubinWorkflowInput!) {
  retryRubinWorkflow(input: $input) { workflow { id } userErrors { code path message } }
}`;
/** Shows a workflow with its nodes in core. */
export const show = `query ($id: ID!) {
  rubin { workflow(id: $id) {
    finishedQuanta quanta { totalCount nodes { name needs } } few: quanta(first: 1) { edges { cursor node { name } } pageInfo { hasNextPage endCursor } }
    task { id }
    workflow { state nodes(first: 100) { nodes { name state isFinal neededEdges job { id state rubin { quantum { name label dataId } quanta { name } workflow { pipeline } } } } } }
  } }
}`;
/** Asks what a campaign is asked. */
export const answers = `query ($id: ID!) {
  rubin { workflow(id: $id) {
    labels { label expected succeeded failed blocked cancelled running waiting ready escalated }
    failures { code count samples { name dataId run { errorMessage job { name } } } }
    blockers { blockedQuanta quantum { name } }
    retryPreview { failed blocked labels { label count } }
    cost { coreHours lostCoreHours } sites { site { name } succeeded failed } longestQuanta { name } estimatedEndAt
    escalatedQuanta { name run { memoryMiB } } changedQuanta { name state previousRun { errorCode } }
    blocked: quanta(filter: { states: [BLOCKED] }) { totalCount nodes { name blockedBy { name } } }
    reports: quanta { nodes { name report { exitCode seconds } } }
    report { rows { label succeeded failed pruned expected } text }
  } }
}`;

/** A quantum, whose label is its name without digits. */
export const quantum = (name: string, ...needs: string[]) => ({
  name,
  label: name.replace(/\d/, ''),
  dataId: `visit=${name}`,
  needs,
});
/** The input of a submission. */
export const wanted = (key: string, more: object = {}) => ({
  idempotencyKey: key,
  name: 'u/hsc/run7',
  pipeline: 'DRP',
  // In no order on purpose.
  quanta: [
    quantum('coadd', 'calibrate1', 'calibrate2'),
    quantum('calibrate1', 'isr1'),
    quantum('isr1'),
    quantum('calibrate2', 'isr2'),
    quantum('isr2'),
  ],
  command: 'pipetask',
  arguments: ['run'],
  ...more,
});

/** Cancels a workflow in core. */
export const cancelInCore =
  'mutation ($id: ID!) { cancelWorkflow(input: { workflowId: $id }) { userErrors { message } } }';
