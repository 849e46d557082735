/** Groups the ids of pilots by queue. */
export function idsByQueue(
  pilots: readonly { readonly _id: string; readonly queueId: string }[],
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const { _id, queueId } of pilots) {
    const ids = groups.get(queueId);
    if (ids) ids.push(_id);
    else groups.set(queueId, [_id]);
  }
  return groups;
}
