/** The fields that have a value: workflows leave out what is not given. */
export function withoutAbsent<Fields extends object>(fields: {
  readonly [Key in keyof Fields]: Fields[Key] | undefined;
}): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}
