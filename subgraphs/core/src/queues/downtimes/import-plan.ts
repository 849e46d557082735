/** Compares an imported list of downtimes with the stored ones. Pure. */
import { type DowntimeDocument, type DowntimeTarget, stateOf } from './downtime.document.js';
import type { ImportedDowntime } from './downtime-input.js';
import type { DowntimeWindow } from './downtime-window.js';

/** Changes of an import. */
export interface ImportPlan {
  readonly created: readonly DowntimeDocument[];
  readonly changed: readonly DowntimeDocument[];
  /** Downtimes that the list no longer has. */
  readonly cancelled: readonly DowntimeDocument[];
  readonly unchangedCount: number;
}

/** Input of {@link planImport}. */
export interface ImportWorld {
  readonly source: string;
  readonly wanted: readonly { readonly entry: ImportedDowntime; readonly target: DowntimeTarget }[];
  /** Stored downtimes of the list. */
  readonly known: readonly DowntimeDocument[];
  readonly now: Date;
  readonly create: (target: DowntimeTarget, window: DowntimeWindow) => DowntimeDocument;
  readonly cancel: (downtime: DowntimeDocument) => DowntimeDocument;
}

/** Plans an import. Entries that are over are not created, and those that have ended stay as they are. */
export function planImport({ source, wanted, known, now, create, cancel }: ImportWorld): ImportPlan {
  const stored = new Map(known.map((downtime) => [downtime.sourceId, downtime]));
  const listed = new Set(wanted.map(({ entry }) => entry.sourceId));
  const [created, changed]: [DowntimeDocument[], DowntimeDocument[]] = [[], []];
  let unchangedCount = 0;
  const next = (downtime: DowntimeDocument): DowntimeDocument => ({
    ...downtime,
    revision: downtime.revision + 1,
    updatedAt: now,
  });
  for (const { entry, target } of wanted) {
    const { sourceId, startsAt, endsAt, reason } = entry;
    const current = stored.get(sourceId);
    if (!current && endsAt > now) created.push({ ...create(target, entry), source, sourceId });
    else if (current && isOther(current, entry, target))
      changed.push(
        next({ ...current, ...target, startsAt, endsAt, reason, cancelledAt: null, cancelledBy: null }),
      );
    else unchangedCount += 1;
  }
  const gone = known.filter((downtime) => {
    const state = stateOf(downtime, now);
    return !listed.has(downtime.sourceId ?? '') && (state === 'PLANNED' || state === 'ACTIVE');
  });
  return { created, changed, cancelled: gone.map((downtime) => next(cancel(downtime))), unchangedCount };
}

function isOther(
  { queue, site, startsAt, endsAt, reason, cancelledAt }: DowntimeDocument,
  entry: ImportedDowntime,
  target: DowntimeTarget,
): boolean {
  return (
    cancelledAt !== null ||
    queue !== target.queue ||
    site !== target.site ||
    startsAt.getTime() !== entry.startsAt.getTime() ||
    endsAt.getTime() !== entry.endsAt.getTime() ||
    reason !== entry.reason
  );
}
