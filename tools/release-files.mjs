// Pure functions over the texts that a release changes.

const semver = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$/;

/** True if `version` is a semantic version later than `current`. */
export function isNewer(version, current) {
  const next = semver.exec(version);
  const now = semver.exec(current);
  if (!next || !now) return false;
  for (const part of [1, 2, 3]) {
    if (Number(next[part]) !== Number(now[part])) return Number(next[part]) > Number(now[part]);
  }
  // A pre-release comes before its release.
  if (next[4] === undefined) return now[4] !== undefined;
  return now[4] !== undefined && next[4] > now[4];
}

/** A package.json with the new version, also of the packages of this repository that it depends on. */
export function withVersion(text, current, version) {
  const manifest = JSON.parse(text);
  manifest.version = version;
  for (const group of ['dependencies', 'devDependencies', 'peerDependencies']) {
    for (const [name, range] of Object.entries(manifest[group] ?? {}))
      if (name.startsWith('@rhizome/') && range === current) manifest[group][name] = version;
  }
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/**
 * The changelog with the entries under "Unreleased" moved to a section of the version; undefined without
 * entries.
 */
export function dateUnreleased(changelog, version, date) {
  const section = sectionOf(changelog, 'Unreleased');
  if (section === undefined || !/^- /m.test(section)) return undefined;
  const day = date.toISOString().slice(0, 10);
  return changelog.replace(/^## \[?Unreleased\]?.*$/m, (heading) => `${heading}\n\n## [${version}] - ${day}`);
}

/** The text below the heading of a version, without the heading; undefined if there is none. */
export function sectionOf(changelog, version) {
  const lines = changelog.split('\n');
  const isHeading = (line) => /^## /.test(line);
  const start = lines.findIndex(
    (line) => isHeading(line) && line.replace(/^## \[?/, '').split(/[\]\s]/)[0] === version,
  );
  if (start < 0) return undefined;
  const end = lines.findIndex((line, index) => index > start && isHeading(line));
  return lines
    .slice(start + 1, end < 0 ? undefined : end)
    .join('\n')
    .trim();
}
