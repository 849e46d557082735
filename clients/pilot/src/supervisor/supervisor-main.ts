// The supervisor of payloads: a program of its own, which survives the pilot that starts it. It imports no
// more than it needs. Argument: its options as JSON. It prints its folder once a pilot can connect.
import { join } from 'node:path';
import { PipePool } from '../payload/pipe-pool.js';
import { ProcessMonitor } from '../payload/process-monitor.js';
import { ReapedAccounts } from '../payload/reaped-accounts.js';
import { ControlGroups } from '../processes/control-groups.js';
import { nameOf, ownIdentity } from '../processes/process-identity.js';
import { makeOwnFolder } from '../files/scratch.js';
import { recordOwner } from '../spool/owner-file.js';
import { Watchdogs } from '../watchdog/watchdog.js';
import { recordFault } from './fault-file.js';
import { Supervisor } from './supervisor.js';
import { partPrefix, settingsOf, type SupervisorOptions } from './supervisor-options.js';

const options = JSON.parse(process.argv[2] ?? '') as SupervisorOptions;
const { scratch, owner, endsWithPilot, maxProcesses, sampleMs, diskPeriodMs, companions } = options;
process.title = 'rhizome-supervisor';
// Signals to the group of the pilot are none of its concern; the rule for each payload is.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

try {
  const supervisor = await start();
  await supervisor.ended;
  process.exit(0);
} catch (error) {
  process.stdout.write(`${String(error)}\n`);
  process.exit(1);
}

async function start(): Promise<Supervisor> {
  const folder = join(scratch, nameOf(partPrefix, ownIdentity()));
  await makeOwnFolder(folder);
  process.on('uncaughtExceptionMonitor', (error) => recordFault(folder, error));
  await recordOwner(folder, owner);
  const { groups, reason = null } = await ControlGroups.find({ maxProcesses, companions });
  const settings = settingsOf(options);
  const facts = { pid: process.pid, settings, controllers: groups?.limiting ?? null, reason };
  const supervisor = new Supervisor(
    folder,
    facts,
    {
      monitor: new ProcessMonitor(sampleMs),
      reaped: new ReapedAccounts(),
      watchdogs: new Watchdogs(),
      groups,
      pipes: new PipePool(folder),
      diskPeriodMs,
    },
    endsWithPilot,
  );
  await supervisor.listen();
  process.stdout.write(`${folder}\n`);
  return supervisor;
}
