// Commands of operators.
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Api, apiOf } from '../system/api.js';
import { experiment } from '../system/jobs.js';
import { cli, folderElsewhere, submitArgs, submitted, system } from './stage.js';

/** An agent that acts for the newcomer. */
async function agentOfNewcomer(): Promise<Api> {
  const grants = [{ experiment: '*', roles: ['ADMIN'] }] as const;
  const token = await system.identities.issuer.mint({
    ...{ kind: 'AGENT', subject: 'agent', actsFor: 'newcomer', ttlSeconds: 600 },
    ...{ grants, boundedBy: grants },
  });
  return apiOf(system.url, token);
}

describe('the verbs of operators', () => {
  it('checks the deployment, and backs up and restores a database under another name', async () => {
    const store = ['--mongo-uri-file', join(system.data, 'mongo', 'uri')];
    const checked = await cli.run(['admin', 'check', '--json', ...store]);
    const { checks } = checked.json() as {
      readonly checks: readonly { readonly part: string; readonly check: string; readonly state: string }[];
    };
    const parts = new Set(checks.map(({ part }) => part));
    expect([...parts]).toEqual(expect.arrayContaining(['mongodb', 'core', 'gateway', 'identity', 'graph']));
    // The disk is that of the machine.
    expect(checks.filter(({ state, check }) => state === 'FAIL' && check !== 'disk')).toEqual([]);
    const folder = join(await folderElsewhere(), 'backup');
    const one = ['--database', 'gateway', ...store];
    const saved = await cli.run(['admin', 'backup', folder, '--json', ...one]);
    expect(saved).toMatchObject({ exitCode: 0 });
    const refused = await cli.run(['admin', 'restore', folder, ...store]);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is not empty') });
    const restored = await cli.run(['admin', 'restore', folder, '--as', 'copy_', '--json', ...store]);
    expect(restored.json()).toMatchObject({
      databases: [{ name: 'gateway', target: 'copy_gateway', isReplaced: false }],
    });
  });

  /** A job that no worker of the playground can run. */
  const pendingJob = (...flags: string[]) => submitted('true', '--gpu', 'count=64', ...flags);

  it('changes jobs by id: hold, release, priority', async () => {
    const id = await pendingJob();
    expect(await cli.run(['hold', id, '--reason', 'wrong calibration'])).toMatchObject({
      exitCode: 0,
      stdout: '1 held',
    });
    expect((await cli.run(['show', id])).stdout).toMatch(/^hold +by .*: wrong calibration$/m);
    expect(await cli.run(['release', id])).toMatchObject({ exitCode: 0, stdout: '1 released' });
    expect((await cli.run(['show', id])).stdout).not.toMatch(/^hold/m);
    expect(await cli.run(['priority', '7', id])).toMatchObject({
      exitCode: 0,
      stdout: '1 set to priority 7',
    });
    expect((await cli.run(['show', id])).stdout).toMatch(/^priority +7$/m);
    await cli.run(['cancel', id]);
  });

  it('shows a proposed change, and approves or denies it', async () => {
    const ids = [await pendingJob(), await pendingJob()];
    const agent = await agentOfNewcomer();
    const propose = async (id: string | undefined): Promise<string> => {
      const input = {
        operation: 'mutation H($i: HoldJobsInput!) { holdJobs(input: $i) { userErrors { code } } }',
        variables: { i: { selection: { ids: [id] }, reason: 'wrong calibration' } },
        reason: 'The calibration is wrong.',
      };
      const select = 'proposal { ref }';
      const made = await agent.change<{ proposal: { ref: string } }>('createProposal', input, select);
      return made.proposal.ref;
    };
    const approved = await propose(ids[0]);
    const denied = await propose(ids[1]);
    expect((await cli.run(['proposals', 'list'])).stdout).toMatch(
      new RegExp(
        `^${approved} .* PROPOSED +playground:agent for playground:newcomer .* holdJobs of 1 .* UNDOABLE +The calibration is wrong`,
        'm',
      ),
    );
    const { exitCode, stdout } = await cli.run(['proposals', 'approve', approved, '--note', 'agreed']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^status +DONE$/m) });
    expect((await cli.run(['show', ids[0] ?? ''])).stdout).toMatch(/^hold +by .*: wrong calibration$/m);
    const denial = await cli.run(['proposals', 'deny', denied, '--note', 'not this one']);
    expect(denial.stdout).toMatch(/^decision +denied by .*: not this one$/m);
    expect(await cli.run(['proposals', 'approve', denied])).toMatchObject({ exitCode: 1 });
    expect((await cli.run(['proposals', 'show', 'pr-nowhere1'])).exitCode).toBe(3);
    for (const id of ids) await cli.run(['cancel', id]);
  });

  it('changes all live jobs that match a filter; cancel does too', async () => {
    const label = ['--label', 'story=operators'];
    await pendingJob(...label);
    await pendingJob(...label);
    const held = await cli.run(['hold', ...label, '-e', experiment, '--reason', 'pause', '--json']);
    expect(held.exitCode).toBe(0);
    expect(held.json()).toMatchObject({ changedCount: 2, refusedCount: 0 });
    expect(await cli.run(['release', ...label])).toMatchObject({ exitCode: 0, stdout: '2 released' });
    expect(await cli.run(['cancel', ...label])).toMatchObject({ exitCode: 0, stdout: '2 cancelled' });
  });

  it('pauses, resumes and finishes a task, and shows before what would change', async () => {
    const task = ['--gpu', 'count=64', '--count', '2', '--name', 'controlled'];
    const made = await cli.run(submitArgs('true', ...task));
    expect(made).toMatchObject({ exitCode: 0 });
    const id = /task_\w+/.exec(made.stdout)?.[0] ?? '';
    await waitFor(
      'the jobs of the task',
      async () => /^state +RUNNING$/m.test((await cli.run(['show', id])).stdout),
      { deadlineMs: 60_000 },
    );
    const pause = ['task', 'pause', id, '--reason', 'wrong calibration'];
    const dry = await cli.run([...pause, '--dry-run']);
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toMatch(
      /RUNNING {2}pause would mean: 2 jobs not started \(activated 2\)\n +job_\w+\n +job_\w+$/,
    );
    expect(await cli.run(pause)).toMatchObject({
      exitCode: 0,
      stdout: `${id}  PAUSED  2 jobs not started (activated 2)`,
    });
    expect((await cli.run(['show', id])).stdout).toMatch(/^command +pause by .*: wrong calibration$/m);
    const [job = ''] = /job_\w+/.exec(dry.stdout) ?? [];
    expect((await cli.run(['why', job])).stdout).toMatch(/Its task "controlled" is paused by/);
    expect(await cli.run(['task', 'resume', id])).toMatchObject({ exitCode: 0 });
    const set = ['task', 'set', id, '--memory', '2048', '--reason', 'larger events'];
    const values = 'memory MiB 64 to 2048';
    expect((await cli.run([...set, '--dry-run'])).stdout).toMatch(
      new RegExp(`RUNNING {2}2 jobs that wait would be changed: ${values}\\n +job_\\w+\\n +job_\\w+$`),
    );
    expect((await cli.run(set)).stdout).toMatch(`2 jobs that wait are being changed: ${values}`);
    await waitFor(
      'the change of the jobs',
      async () => /^change +.*: larger events; 2 jobs changed$/m.test((await cli.run(['show', id])).stdout),
      { deadlineMs: 60_000 },
    );
    expect((await cli.run(['show', job])).stdout).toMatch(/memoryMiB 64 to 2048: larger events/);
    expect((await cli.run(['why', id])).stdout).toMatch(/^Change: memory MiB 64 to 2048, by /m);
    expect(await cli.run(['task', 'finish', id])).toMatchObject({ exitCode: 0 });
    expect((await cli.run(['watch', id])).stdout).toMatch(/DONE +cancelled 2$/m);
    const again = await cli.run(['task', 'abort', id]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(
      /is DONE: only a task that has not ended can be aborted \[TASK_STATE_CONFLICT\]/,
    );
  });

  it('creates the other jobs of a task before its scouts have ended, and shows before what would change', async () => {
    const task = ['--gpu', 'count=64', '--count', '3', '--scouts', '1', '--name', 'scouted'];
    const made = await cli.run(submitArgs('true', ...task));
    const id = /task_\w+/.exec(made.stdout)?.[0] ?? '';
    expect(await cli.run(['why', id])).toMatchObject({
      exitCode: 0,
      stdout: 'scouted is SCOUTING.\nThe other 2 jobs wait for the scouts: 0 of 1 have ended.',
    });
    const end = ['task', 'end-scouting', id, '--memory', '777', '--reason', 'it waits'];
    const dry = await cli.run([...end, '--dry-run']);
    expect(dry).toMatchObject({ exitCode: 0, stderr: '' });
    expect(dry.stdout).toMatch(/SCOUTING {2}\d jobs would be created with these requirements:$/m);
    expect(dry.stdout).toMatch(/^template +memoryMiB +\d+ +777 \(given\)/m);
    expect(await cli.run(end)).toMatchObject({ exitCode: 0 });
    expect((await cli.run(['show', id])).stdout).toMatch(
      /^scouts +0 of 1 scout finished, when .* ended the/m,
    );
    expect(await cli.run(['task', 'abort', id])).toMatchObject({ exitCode: 0 });
    expect((await cli.run(['watch', id])).stdout).toMatch(/CANCELLED +cancelled 3$/m);
  });

  it('reports a bulk operation that does not exist', async () => {
    const { exitCode, stderr } = await cli.run(['bulk', 'bulk_00000000000000000000000000']);
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/Operation "bulk_0+" not found, or you may not see it\./);
  });

  it('creates a queue, updates it and changes its state', async () => {
    const created = await cli.run([
      ...['queue', 'create', 'night', '--site', 'SUMMIT', '--state', 'OFFLINE'],
      ...['-e', experiment, '-l', 'power=solar', '--max-walltime', '3600', '--log-interval', '2000'],
      ...['--experiment-limit', `${experiment}:jobs=100,gpus=8`, '--preemption', '5'],
    ]);
    expect({ exitCode: created.exitCode, stderr: created.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(created.stdout).toMatch(/^state +OFFLINE$/m);
    expect(created.stdout).toMatch(/^max walltime +3600 s$/m);
    expect(created.stdout).toMatch(new RegExp(`^max for ${experiment} +100 jobs, 8 gpus$`, 'm'));
    expect(created.stdout).toMatch(/^preemption +5 jobs a minute$/m);
    expect(created.stdout).toMatch(/^log interval +2000 ms$/m);
    const updated = await cli.run([
      'queue',
      'update',
      'night',
      '--max-cores',
      '64',
      '--preemption',
      'off',
      '--expected-revision',
      '1',
    ]);
    expect(updated.stdout).toMatch(/^max cores +64$/m);
    expect(updated.stdout).toMatch(/^preemption +off$/m);
    expect(updated.stdout).toMatch(/^max walltime +3600 s$/m);
    const stale = await cli.run([
      'queue',
      'update',
      'night',
      '--max-cores',
      '32',
      '--expected-revision',
      '1',
    ]);
    expect(stale.exitCode).toBe(1);
    expect(stale.stderr).toMatch(/^refused: .*\[\w*REVISION\w*\]/m);
    const share = `${experiment}/default`;
    const canary = [
      'queue',
      'canary',
      'night',
      '--share',
      share,
      '--interval',
      '900',
      '--',
      'true',
      '--fast',
    ];
    const tested = await cli.run(canary);
    expect(tested.stdout).toMatch(new RegExp(`^canary +true --fast, every 900 s for ${share}$`, 'm'));
    expect((await cli.run(['queue', 'canary', 'night', '--off'])).stdout).toMatch(/^canary +off$/m);
    const online = await cli.run([
      'queue',
      'set-state',
      'night',
      'PAUSED',
      '--reason',
      'full moon',
      '--json',
    ]);
    expect(online.json()).toMatchObject({ name: 'night', state: 'PAUSED', stateReason: 'full moon' });
    expect((await cli.run(['queues', '--site', 'SUMMIT'])).stdout).toMatch(
      /night +SUMMIT +PAUSED .* full moon/,
    );
  });

  it('queue downtime declares, lists, changes and cancels downtimes, and imports them', async () => {
    const downtime = (...args: string[]) => cli.run(['queue', 'downtime', ...args]);
    const window = ['--from', '2090-01-01T08:00Z', '--to', '2090-01-01T18:00Z', '--reason', 'new switches'];
    const tried = await downtime('add', 'night', ...window, '--dry-run');
    expect(tried.stdout).toMatch(/^dry run {2}PLANNED {2}2090-01-01T08:00[^\n]*\n1 queue: night$/m);
    expect((await downtime('list', '-q', 'night')).stdout).toBe('');
    const added = await downtime('add', '--site', 'SUMMIT', ...window, '--json');
    const { id, queues } = added.json<{ id: string; queues: string[] }>();
    expect(queues).toEqual(['night']);
    expect((await downtime('list', '-q', 'night')).stdout).toMatch(/PLANNED +site SUMMIT .* new switches/);
    const changed = await downtime('change', id, '--reason', 'new cables', '--json');
    expect(changed.json()).toMatchObject({ reason: 'new cables', revision: 2 });
    expect((await downtime('cancel', id)).stdout).toMatch(/CANCELLED/);
    expect((await downtime('change', id, '--reason', 'more')).stderr).toMatch(
      /is CANCELLED; declare another/,
    );
    expect((await downtime('add', 'night', '--site', 'SUMMIT', ...window)).exitCode).toBe(2);
    const file = join(dirname(system.data), 'downtimes.yaml');
    const line =
      '  - { id: 7, queue: night, from: 2090-02-01T08:00:00Z, to: 2090-02-02T08:00:00Z, reason: power }';
    await writeFile(file, `downtimes:\n${line}\n`);
    const imported = (...flags: string[]) => downtime('import', 'goc', '-f', 'downtimes.yaml', ...flags);
    expect((await imported('--dry-run')).stdout).toMatch(/^1 would be new, 0 would be changed, 0 /);
    expect((await imported()).stdout).toMatch(/^1 new, 0 changed, 0 cancelled, 0 unchanged\n/);
    expect((await imported()).stdout).toBe('0 new, 0 changed, 0 cancelled, 1 unchanged');
    await writeFile(file, 'downtimes: []\n');
    expect((await imported()).stdout).toMatch(/^0 new, 0 changed, 1 cancelled, 0 unchanged\n/);
  });

  it('host excludes, pins, shows, lists and clears hosts', async () => {
    const host = (...args: string[]) => cli.run(['host', ...args]);
    const why = ['--reason', 'a broken disk'];
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const tried = await host('exclude', 'night', 'node-1', ...why, '--until', soon, '--dry-run');
    expect(tried.stdout).toMatch(/^dry run {2}EXCLUDED[^\n]*\n0 workers, 0 running jobs$/m);
    const none = await Promise.all([host('list', '-q', 'night'), host('list', '-q', 'night', '--json')]);
    expect(none.map(({ stdout }) => stdout)).toEqual([
      'No hosts found that fail jobs, are excluded or are pinned.',
      '[]',
    ]);
    expect((await host('exclude', 'night', 'node-1', ...why)).stdout).toMatch(/^node-1 {2}EXCLUDED$/m);
    expect((await host('list', '-s', 'EXCLUDED')).stdout).toMatch(/night +node-1 +EXCLUDED +a broken disk/);
    const pinned = await host('pin', 'night', 'node-1', 'in', '--reason', 'under test', '--json');
    expect(pinned.json()).toMatchObject({ state: 'HEALTHY', pin: { to: 'IN' }, workerCount: 0 });
    expect((await host('show', 'night', 'node-1')).stdout).toMatch(/^pinned +IN by .*: under test$/m);
    const cleared = await host('clear', 'night', 'node-1', '--json');
    expect(cleared.json()).toMatchObject({ state: 'HEALTHY', pin: null });
    expect((await host('show', 'night', 'node-2')).stderr).toMatch(/Host "node-2" of queue "night" has no/);
    expect((await host('pin', 'night', 'node-1', 'sideways', ...why)).exitCode).toBe(2);
  });

  it('workflow converts and submits a graph of CWL', async () => {
    const workflow = (...args: string[]) => cli.run(['workflow', ...args]);
    const step = (name: string, script: string, more: string): string =>
      `  ${name}: { run: tool.cwl, in: { script: { default: "${script}" }${more}, out: [log] }\n`;
    const steps = [
      step('first', 'true', ' }'),
      step('second', 'true', ', after: first/log }, when: $(inputs.after)'),
      step('repair', 'true', ', after: first/log }, when: $(!inputs.after)'),
    ];
    const head = 'cwlVersion: v1.2\nclass:';
    const files = {
      'graph.cwl': `${head} Workflow\ninputs: {}\noutputs: {}\nsteps:\n${steps.join('')}`,
      'tool.cwl': `${head} CommandLineTool
baseCommand: [/bin/sh, -c]
inputs: { script: { type: string, inputBinding: {} }, after: Any? }
outputs: { log: { type: File, outputBinding: { glob: log } } }
`,
      'loop.cwl': `${head} Workflow\ninputs: {}\noutputs: {}\nsteps:\n  a: { run: tool.cwl, in: [], out: [], hints: [loop] }\n`,
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(dirname(system.data), name), text);
    const tried = 'dry run  graph: 3 nodes with 3 labels, 2 edges and 0 edges between labels, in 1 call';
    expect((await workflow('submit', 'graph.cwl', '-e', experiment, '--dry-run')).stdout).toBe(tried);
    const converted = await workflow('convert', 'graph.cwl', '-e', experiment, '--json');
    expect(converted.json()).toMatchObject({
      nodes: [{ name: 'first' }, { name: 'second', dependsOn: [{ node: 'first' }] }, { name: 'repair' }],
    });
    await writeFile(join(dirname(system.data), 'converted.json'), converted.stdout);
    expect((await workflow('submit', 'converted.json', '--dry-run')).stdout).toBe(tried);
    expect(await workflow('submit', 'loop.cwl', '-e', experiment)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/steps\.a\.hints\.0: loop is not supported \(loop\.cwl:6:\d+\)/),
    });
    const { stdout: id } = await workflow('submit', 'graph.cwl', '-e', experiment, '--key', 'cwl');
    expect(await workflow('watch', id)).toMatchObject({ exitCode: 0 });
    expect((await workflow('tree', id)).stdout).toMatch(
      /second +second +SUCCEEDED[^]*repair +repair +SKIPPED/,
    );
  });

  it('workflow submits a graph, retries what failed of it, and ends a node by hand', async () => {
    const workflow = (...args: string[]) => cli.run(['workflow', ...args]);
    const step = (name: string, script: string, more: object = {}) => ({
      ...{ name, label: 'steps', ...more },
      payload: { command: '/bin/sh', arguments: ['-c', script] },
    });
    const graph = {
      ...{ experiment, name: 'graph', nodeLabels: [{ label: 'steps', retry: { maxAttempts: 1 } }] },
      nodes: [
        step('first', 'true'),
        step('second', 'false', { dependsOn: ['first'] }),
        step('third', 'true', { dependsOn: ['second'] }),
        step('last', 'true', { isFinal: true }),
      ],
    };
    await writeFile(join(dirname(system.data), 'graph.json'), JSON.stringify(graph));
    const made = await workflow('submit', 'graph.json', '--key', 'graph');
    expect(made.stdout).toMatch(/^workflow_\w+$/);
    expect((await workflow('submit', 'graph.json', '--key', 'graph')).stdout).toBe(made.stdout);
    const id = made.stdout;
    expect(await workflow('watch', id)).toMatchObject({ exitCode: 1 });
    expect((await workflow('tree', id, '--state', 'SKIPPED')).stdout).toMatch(
      /third +steps +SKIPPED +Node "second", on which it depends, ended as FAILED$/,
    );
    expect((await workflow('show', id)).stdout).toMatch(/^state +FAILED$/m);
    expect((await workflow('list', '-e', experiment)).stdout).toMatch(/graph +FAILED +4 +100 % +1 /);
    expect((await workflow('retry', id)).stdout).toBe(`${id}  RUNNING`);
    expect(await workflow('watch', id)).toMatchObject({ exitCode: 1 });
    const marked = ['--node', 'second', '--as', 'SUCCEEDED', '--reason', 'checked by hand'];
    expect((await workflow('mark', id, ...marked)).stdout).toBe(`${id}  RUNNING`);
    expect(await workflow('watch', id)).toMatchObject({ exitCode: 0 });
    expect((await workflow('pause', id)).stderr).toMatch(/is SUCCEEDED; to pause it, it must be RUNNING/);
    const inParts = () => workflow('submit', 'graph.json', '--key', 'parts', '--nodes-per-part', '3');
    const large = await inParts();
    expect(large.stderr).toMatch(/^4 nodes in 2 parts; .* --nodes-per-part 3 --key parts$/m);
    expect(large.stderr).toMatch(/^part 2 of 2: 4 of 4 nodes$/m);
    expect((await inParts()).stdout).toBe(large.stdout);
    expect((await workflow('show', large.stdout)).stdout).toMatch(/^nodes +4$/m);
    const lost = { ...graph, nodes: [step('lost', 'true', { dependsOn: ['nobody'] }), ...graph.nodes] };
    await writeFile(join(dirname(system.data), 'graph.json'), JSON.stringify(lost));
    const wrong = await workflow('submit', 'graph.json', '--key', 'lost', '--nodes-per-part', '3');
    expect(wrong.stderr).toMatch(/cancel it with `rhizome workflow cancel \w+`, .* another key$/m);
  });

  it('pool creates, fills, shows and closes pools of work units', async () => {
    const pool = (...args: string[]) => cli.run(['pool', ...args]);
    const made = await pool('create', 'slices', '-e', experiment, '--run', 'r1', '--max-attempts', '1');
    expect(made.stdout).toMatch(/^pool_\w+$/);
    const id = made.stdout;
    const file = join(dirname(system.data), 'units.jsonl');
    await writeFile(file, '{"key":"a","payload":"x"}\n\n{"key":"b","reference":"file:///b","priority":9}\n');
    const publish = () => pool('publish', id, 'units.jsonl');
    expect(await publish()).toMatchObject({ exitCode: 0, stdout: '2 published, 0 published before' });
    expect((await publish()).stdout).toBe('0 published, 2 published before');
    await writeFile(file, '{"key":"c"}\n');
    expect((await publish()).stderr).toMatch(
      /units\.0: must have either payload or reference; neither was given \[INVALID_VALUE\]/,
    );
    await writeFile(file, 'c\n');
    expect(await publish()).toMatchObject({ exitCode: 2 });
    expect((await pool('show', id)).stdout).toMatch(/^waiting +2$/m);
    expect((await pool('list', '-e', experiment, '--run', 'r1')).stdout).toMatch(/slices +OPEN +2 +0 +0 +0 /);
    expect((await pool('dead-letters', id)).stdout).toBe('');
    expect((await pool('resubmit', id)).stdout).toBe('0 resubmitted');
    expect((await pool('close', id)).stdout).toBe(`${id}  CLOSED`);
    expect((await publish()).exitCode).toBe(2);
    expect((await pool('show', 'pool_nowhere')).exitCode).toBe(3);
  });

  it('sets the continuity of jobs, and its defaults and bounds for an experiment and a queue', async () => {
    const stopping = await pendingJob('--on-disconnect', 'STOP');
    expect((await cli.run(['show', stopping])).stdout).toMatch(/^without contact +stops with the lease$/m);
    const settings = ['--max-continue', '7200', '--reassign-after', '60'];
    const updated = await cli.run(['experiment', 'update', experiment, ...settings]);
    expect({ exitCode: updated.exitCode, stderr: updated.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(updated.stdout).toMatch(/^max continue +7200 s$/m);
    const plain = await pendingJob();
    expect((await cli.run(['show', plain])).stdout).toMatch(
      /^without contact +runs on for 7200 s; another worker gets the job after 60 s$/m,
    );
    const long = await cli.run([...['submit', '-e', experiment, '--continue-seconds', '7201', '--', 'true']]);
    expect([long.exitCode, long.stderr]).toEqual([1, expect.stringContaining('must be at most 7200')]);
    const none = ['--max-continue', 'none', '--reassign-after', 'none'];
    expect((await cli.run(['experiment', 'update', experiment, ...none])).exitCode).toBe(0);
    const shown = await cli.run(['experiment', 'show', experiment]);
    expect(shown.stdout).toMatch(/^experiment +larkspur$/m);
    expect(shown.stdout).not.toMatch(/^(max continue|reassign after)/m);
    const bounds = ['--min-reassign-after', '30', '--max-reassign-after', '90'];
    const queue = await cli.run(['queue', 'update', 'night', ...bounds]);
    expect(queue.stdout).toMatch(/^min reassign after +30 s\nmax reassign after +90 s$/m);
    await cli.run(['cancel', stopping, plain]);
  });

  it('asks for notice before the end of a payload, and limits it for a queue', async () => {
    const noticed = await pendingJob('--notice', '60', '--notice-signal', 'SIGUSR1');
    expect((await cli.run(['show', noticed])).stdout).toMatch(/^notice +SIGUSR1, 60 s before the end$/m);
    const saving = await pendingJob('--notice', '60', '--checkpoint-exit-code', '75');
    expect((await cli.run(['show', saving])).stdout).toMatch(
      /^notice +SIGTERM, 60 s before the end; exit code 75 after a checkpoint$/m,
    );
    const alone = await cli.run(['submit', '-e', experiment, '--notice-signal', 'NONE', '--', 'true']);
    expect([alone.exitCode, alone.stderr]).toEqual([2, expect.stringContaining('need --notice')]);
    const queue = await cli.run(['queue', 'update', 'night', '--max-notice', '3600']);
    expect(queue.stdout).toMatch(/^max notice +3600 s$/m);
    await cli.run(['cancel', noticed, saving]);
  });

  it('shows the state of the service', async () => {
    const { exitCode, stdout } = await cli.run(['status']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^lease clock +RUNNING: workers become UNREACHABLE when their leases end$/m);
    expect(stdout).toMatch(/^gateways +1 of 1 accept pilots$/m);
  });

  it('reports ended batch jobs of a queue', async () => {
    const report = (...flags: string[]) => cli.run(['worker', 'end', '--batch-job', '4711', ...flags]);
    expect(await report('--queue', 'night')).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expect((await report('--queue', 'nowhere')).stderr).toMatch(/Queue "nowhere" not found/);
    expect((await report()).exitCode).toBe(2);
    expect((await cli.run(['worker', 'end'])).exitCode).toBe(2);
  });

  it('shares lists the shares of an experiment, and set replaces them', async () => {
    type Share = { path: string; nominalCores: number; weight: number };
    const before = (await cli.run(['shares', '-e', experiment, '--json'])).json<Share[]>();
    expect(before.length).toBeGreaterThan(0);
    const lines = before.map(
      ({ path, nominalCores }) =>
        `  - { leaf: ${path.slice(path.indexOf('/') + 1)}, nominalCores: ${nominalCores}, weight: 2.5 }`,
    );
    await writeFile(join(dirname(system.data), 'shares.yaml'), `shares:\n${lines.join('\n')}\n`);
    const set = await cli.run(['shares', 'set', experiment, '-f', 'shares.yaml']);
    expect({ exitCode: set.exitCode, stderr: set.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(set.stdout).toMatch(/^SHARE +WEIGHT +CORES/);
    const after = (await cli.run(['shares', '-e', experiment, '--json'])).json<Share[]>();
    expect(after.map(({ path, weight }) => [path, weight])).toEqual(before.map(({ path }) => [path, 2.5]));
  });

  // The last test: the playground has no other pilot.
  it('drains a worker by its name', async () => {
    const nobody = await cli.run(['worker', 'drain', 'nobody']);
    expect(nobody.exitCode).toBe(3);
    expect(nobody.stderr).toMatch(/Worker "nobody" not found/);
    const drained = await cli.run(['worker', 'drain', 'pilot-1', '--reason', 'maintenance']);
    expect({ exitCode: drained.exitCode, stderr: drained.stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(drained.stdout).toMatch(/^pilot-1 +(DRAINING|ENDED)$/);
  });
});
