/** Query of everything that tests of live runs look at. */
export const show = `query ($run: Int!) { epic { liveRun(runNumber: $run) {
  id phase phaseSince endedAt problem
  facets { name state since owner { subject } }
  history(first: 50) { totalCount nodes { sequence facet state at isLate phase reason author { subject } } }
  frames { announced bytes lastNumber missing ratePerSecond gaps { first last } }
  decisions(first: 50) { nodes { path reason message } }
  paths {
    name announcedSlices fedSlices lagSeconds feedLagSeconds
    slices { waiting leased completed dead failedAttempts }
    latency { results p50 p95 minimum parts { step p50 p95 } }
    slowest { frame slice seconds site { name } job { name } }
    sites { site { name } completed seconds failedAttempts }
    cost { busyCoreHours heldCoreHours busyCoreHoursPerTB }
    lanes {
      queueName site { name } poolId fleetId depthHours
      feed { isHeld reason message heldBy { subject } }
      workers { target running waiting maximum reason }
    }
  }
} } }`;
