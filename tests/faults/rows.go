package faults

// Folders of the proofs.
const (
	audit     = "plugins/oci_audit "
	guard     = "plugins/oci_cloudguard "
	logging   = "plugins/oci_logging "
	streaming = "plugins/oci_streaming "
	client    = "plugins/internal/oci "
	fields    = "plugins/internal/ocifields "
	collect   = "plugins/internal/collect "
	bolt      = "plugins/bolt "
	correlate = "plugins/correlate "
	whole     = "tests/e2e "
)

// matrix tries the same faults on every input, through whole pipelines over HTTP.
const matrix Proof = whole + "TestFaultsOverEveryInput"

// Reasons that several rows have.
const (
	noHistory = "it sweeps what is there now"
	oneRegion = "it reads one list of one region"
)

// Rows is the table.
var Rows = []Row{
	{
		Fault:   "kill -9 at any moment",
		Promise: "nothing is missing; at most what was in flight or acked since the position was last saved leaves again; the incidents are those of an undisturbed run",
		Shared:  []Proof{whole + "TestKillsLoseNothingAndChangeNoIncident", correlate + "TestKillsAndFailingOutputsDoNotChangeWhatIsFound"},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestKillAtAnyPointLosesNothing"},
			"oci_cloudguard": {guard + "TestKillLosesNothing", guard + "TestKillBeforeAnAckSendsTheTransitionAgain"},
			"oci_logging":    {logging + "TestKillAtAnyPointLosesNothing"},
			"oci_streaming":  {streaming + "TestKillAtAnyPointLosesNothing", streaming + "TestTwoInstancesLoseNothingThoughOneIsKilled"},
		},
		Figures: []string{"kills"},
	},
	{
		Fault:   "kill -9 while the position is written",
		Promise: "the state before or after the write, never none, never a part of it",
		Shared:  []Proof{bolt + "TestKillInAWriteLeavesTheStateBeforeOrAfterIt", collect + "TestCrashBetweenIdsAndPositionCostsNothing", collect + "TestIdsAreWrittenBeforeThePosition"},
		Own:     map[string][]Proof{"oci_cloudguard": {collect + "TestPositionIsWrittenLastAndFailedWritesComeAgain"}},
		Figures: []string{"kills in a write"},
	},
	{
		Fault:   "SIGTERM under load, with the output healthy or blocked",
		Promise: "the program stops within `shutdown_timeout`; nothing is missing after the next start, and nothing leaves twice where the output was healthy",
		Shared:  []Proof{whole + "TestStopUnderLoadIsPromptAndRepeatsNothing", whole + "TestCleanRestartsDeliverEachEventOnce"},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestRestartResumesWithoutARepeat", audit + "TestAckedBatchesOfAStoppedInputAreSaved"},
			"oci_cloudguard": {guard + "TestRestartSendsNothingTwice"},
			"oci_logging":    {logging + "TestRestartResumesWithoutARepeat", logging + "TestAckedBatchesOfAStoppedInputAreSaved"},
			"oci_streaming":  {streaming + "TestRestartResumesWithoutARepeat", streaming + "TestAckThatComesWithTheStopCounts"},
		},
		Figures: []string{"stop, output blocked false", "stop, output blocked true"},
	},
	{
		Fault:   "state file with a flipped bit, torn, cut or empty",
		Promise: "it is refused with a sentence that says what to do, and never taken for a first run",
		Shared: []Proof{
			bolt + "TestNoFlippedBitIsTakenForState", bolt + "TestNoTornFileIsTakenForState", bolt + "TestDamagedFileIsAnErrorThatSaysWhatToDo",
			collect + "TestDamagedPositionIsRefused", collect + "TestLedgerSurvivesAndRefusesDamage", collect + "TestDamagedProblemsAreRefused",
		},
		Own:     map[string][]Proof{"oci_streaming": {streaming + "TestPositionThatCannotBeUsedIsRefused"}},
		Figures: []string{"flipped bits", "torn files"},
	},
	{
		Fault:   "state of an older or newer version",
		Promise: "it is refused with a sentence; nothing begins anew by itself",
		Shared:  []Proof{bolt + "TestOtherFormatsAreRefused", collect + "TestDamagedPositionIsRefused", collect + "TestLedgerSurvivesAndRefusesDamage"},
		Own:     map[string][]Proof{"oci_streaming": {streaming + "TestPositionThatCannotBeUsedIsRefused"}},
	},
	{
		Fault:   "state that cannot be written: disk full, cache down",
		Promise: "said once; reading goes on for a bounded while and then waits; when it can be written nothing is missing and nothing left twice",
		Shared:  []Proof{whole + "TestDiskThatIsFullLosesNothing", collect + "TestUnsavedPassesAreBounded"},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestPositionThatCannotBeSavedLosesNothing", audit + "TestCacheErrorFailsConnectAndNeverResets"},
			"oci_cloudguard": {collect + "TestPositionIsWrittenLastAndFailedWritesComeAgain"},
			"oci_logging":    {logging + "TestPositionThatCannotBeSavedLosesNothing", logging + "TestCacheErrorFailsConnectAndNeverResets"},
			"oci_streaming":  {streaming + "TestCacheThatIsDownLosesNothing"},
		},
		Figures: []string{"disk full"},
	},
	{
		Fault:   "output down for ten minutes under load",
		Promise: "the source is not asked any more, memory stays below 192 MiB, and everything drains afterwards, once",
		Shared:  []Proof{whole + "TestOutputThatIsDownPausesTheProgram", whole + "TestKafkaOutageLosesNothing", fields + "TestOutletHoldsNoMoreThanItsLimit"},
		Own: map[string][]Proof{
			"oci_audit":     {audit + "TestOutputThatIsDownPausesTheSource"},
			"oci_logging":   {logging + "TestOutputThatIsDownPausesTheSource"},
			"oci_streaming": {streaming + "TestOutputThatIsDownPausesTheSource", streaming + "TestHeartbeatsKeepThePartitionsWhileTheOutputIsDown"},
		},
		Figures: []string{"output down, HTTP 503", "output down, Kafka"},
	},
	{
		Fault:   "output that refuses a third of the batches",
		Promise: "nothing is missing, no count is inflated, the incidents are the same",
		Shared:  []Proof{matrix, correlate + "TestKillsAndFailingOutputsDoNotChangeWhatIsFound", fields + "TestErrorsOfMessagesBecomeErrorsOfTheBatch"},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestNackKeepsCursor", audit + "TestPartialNacksComeBackAsAWhole"},
			"oci_cloudguard": {guard + "TestNackSendsAgain"},
			"oci_logging":    {logging + "TestNackKeepsCursor", logging + "TestPartialNacksComeBackAsAWhole"},
			"oci_streaming":  {streaming + "TestNackKeepsTheCommit", streaming + "TestPartialNacksComeBackAsAWhole"},
		},
		Figures: []string{"every input"},
	},
	{
		Fault:   "storm of 429, with Retry-After in seconds, as a date, for ten hours, negative, or without",
		Promise: "what is throttled is asked for no more often than Retry-After says, capped at a minute; other compartments and regions go on; nothing is missing",
		Shared: []Proof{
			whole + "TestStormOfThrottlesIsWaitedOut", matrix, client + "TestRetryAfterIsHonoredAndCapped", client + "TestRetryAfterHeaderIsReadWithCare",
			client + "TestOneRequestTriesWhetherAThrottleIsOver", client + "TestThrottleOfOneInputHoldsTheOthersOfItsTenancy",
			client + "TestThrottledPlaceIsAskedByOneCallAtATime",
		},
		Own: map[string][]Proof{
			"oci_audit":     {audit + "TestFaultsOfTheAPILoseAndRepeatNothing"},
			"oci_logging":   {logging + "TestFaultsOfTheAPILoseAndRepeatNothing"},
			"oci_streaming": {streaming + "TestThrottledStreamIsAskedAsSeldomAsOracleSays", streaming + "TestReadsKeepWithinStreamingsLimit"},
		},
		Figures: []string{"storm, oci_audit", "storm, oci_cloudguard", "storm, oci_logging", "storm, oci_streaming"},
	},
	{
		Fault:   "5xx for half an hour, then well again",
		Promise: "few requests, waits that grow with jitter, and everything is read afterwards",
		Shared:  []Proof{matrix, client + "TestWaitsGrowAndAreCappedAndJittered"},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestFaultsOfTheAPILoseAndRepeatNothing"},
			"oci_cloudguard": {guard + "TestFaultsLoseNothing"},
			"oci_logging":    {logging + "TestOutageMakesFewRequests"},
			"oci_streaming":  {streaming + "TestNoFaultMakesABusyLoop", streaming + "TestOutageIsNoIdleness"},
		},
	},
	{
		Fault:   "401, 403 or 404 for one compartment, region, query or tenancy",
		Promise: "only that one stops, health and one line say why, a replaced key is taken up without a restart",
		Shared: []Proof{
			matrix, whole + "TestOneTenancyInTroubleChangesNothingInTheOther", whole + "TestTroubleOfOneTenancyIsNotTheOthers",
			client + "TestNewKeyOnDiskIsUsedAtOnceAfterARefusal", client + "TestRotatedKeyIsTakenUpWithoutARestart",
		},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestOneUnreadableCompartmentStopsNoOther", audit + "TestRotatedKeyIsTakenUpInTheMiddle"},
			"oci_cloudguard": {guard + "TestInputIsNotConnectedWhileNothingCanBeRead"},
			"oci_logging":    {logging + "TestOneFailingQueryStopsNoOther"},
			"oci_streaming":  {streaming + "TestWhatIsMissingIsSaidAndTheInputGoesRed", streaming + "TestTwoTenanciesShareNothing"},
		},
	},
	{
		Fault:   "connection reset in a body, a body of 1 byte a second, no answer at all, a black hole",
		Promise: "it is given up in time and read again whole",
		Shared:  []Proof{matrix, client + "TestConnectionsThatGoBadAreTriedAgain", client + "TestAddressThatLeadsNowhereIsGivenUp"},
	},
	{
		Fault:   "DNS that fails, proxies of the environment",
		Promise: "tried again, with a sentence that names the host",
		Shared:  []Proof{client + "TestNameThatCannotBeResolvedIsSaid", client + "TestProxyOfTheEnvironmentCarriesCallsToOracleAndNothingElse"},
	},
	{
		Fault:   "malformed pages: HTML, truncated or deep JSON, wrong types, NaN, broken UTF-8, a BOM, control characters, members twice",
		Promise: "no panic; one bad item leaves flagged and never costs its page; a page that is none is read again",
		Shared: []Proof{
			matrix, whole + "TestMalformedItemsGoToTheDeadLetters", client + "TestOneMalformedItemNeverLosesThePage",
			client + "FuzzSplit", client + "FuzzRows", client + "FuzzItemBesideOthers", client + "FuzzAnswers", client + "FuzzMessageBesideOthers", client + "FuzzStreamAnswers",
		},
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestMalformedItemsLeaveFlaggedAndTheirPageWhole"},
			"oci_cloudguard": {guard + "TestMalformedProblemLeavesFlaggedAndOnce"},
			"oci_logging":    {logging + "TestMalformedRowsLeaveFlaggedAndTheirPageWhole"},
		},
	},
	{
		Fault:   "an empty page with a token, the same token for ever, a token or cursor that has expired",
		Promise: "followed, found out after one round, begun again without a repeat",
		Shared:  []Proof{matrix},
		Own: map[string][]Proof{
			"oci_audit":     {audit + "TestEmptyPagesWithATokenAreFollowed"},
			"oci_logging":   {logging + "TestPagesAreFollowedToTheirEnd", logging + "TestExpiredPageTokenBeginsTheWindowAgain"},
			"oci_streaming": {streaming + "TestExpiredCursorIsMadeAnewWithoutARepeat", streaming + "TestEmptyPageBeforeTheEndIsNoIdleness"},
		},
	},
	{
		Fault:   "the same record twice: in a page, in overlapping windows, over restarts",
		Promise: "it leaves once, and counts once in rules",
		Own: map[string][]Proof{
			"oci_audit":      {matrix, audit + "TestLateEventsLeaveOnceInQuietTimes", collect + "TestNothingIsLostAndWithoutACrashNothingRepeats"},
			"oci_cloudguard": {matrix, guard + "TestEveryChangeLeavesAndNoScanDoes", guard + "TestEachTransitionLeavesOnceOverRestarts"},
			"oci_logging":    {matrix, logging + "TestLateIngestionInsideTheOverlapIsFoundOnce"},
			"oci_streaming":  {streaming + "TestEveryMessageLeavesOnce", correlate + "TestThreadsAndBatchesDoNotChangeWhatIsFound"},
		},
	},
	{
		Fault:   "clocks that disagree by minutes",
		Promise: "up to 5 minutes nothing is noticed, windows follow Oracle's clock; beyond that one sentence says by how much the clock is off",
		Shared: []Proof{
			matrix, client + "TestNowIsOraclesTime", client + "TestDateThatCannotBeIsNotBelieved", client + "TestEachMistakeHasItsSentence",
			client + "TestClockThatWasWrongForAWhileIsForgotten",
		},
	},
	{
		Fault:   "a body of 100 MiB, a gzip bomb of 1 GiB, an item of 10 MiB, pages of 20,000 events",
		Promise: "the program stays below 288 MiB; windows are halved until they fit; a large record leaves flagged",
		Shared:  []Proof{whole + "TestHugeBodiesFitIntoMemory", client + "TestBodiesAreCappedAfterDecompression"},
		Own: map[string][]Proof{
			"oci_audit":     {audit + "TestLargeBodiesSplitTheWindow", audit + "TestLargeEventsLeaveFlagged"},
			"oci_logging":   {logging + "TestLargeBodiesSplitTheWindow", logging + "TestLargeRecordsLeaveFlagged"},
			"oci_streaming": {streaming + "TestOversizeMessagesLeaveFlagged"},
		},
		Figures: []string{
			"memory, no fault", "memory, a body of 100 MiB", "memory, a gzip bomb of 1 GiB", "memory, an item of 10 MiB in its page", "memory, pages of 20,000 events",
		},
	},
	{
		Fault:   "two processes on one state",
		Promise: "the second says which process holds it, and delivers nothing",
		Shared:  []Proof{whole + "TestSecondProcessOnOneStateIsRefused", bolt + "TestSecondProcessIsToldWhoHoldsTheFile"},
		Own:     map[string][]Proof{"oci_streaming": {streaming + "TestTwoProcessesWithOneNameAreToldApart", whole + "TestTwoProcessesShareAStream"}},
	},
	{
		Fault:   "two inputs on one position",
		Promise: "the second is refused with the field to set",
		Own: map[string][]Proof{
			"oci_audit":      {whole + "TestTwoInputsOnOnePositionAreRefused", audit + "TestTwoInputsOnOnePositionAreRefused"},
			"oci_cloudguard": {whole + "TestTwoInputsOnOnePositionAreRefused"},
			"oci_logging":    {whole + "TestTwoInputsOnOnePositionAreRefused", logging + "TestTwoInputsOnOnePositionAreRefused"},
			"oci_streaming":  {streaming + "TestTwoInputsOfOneProcessDoNotShareAPosition"},
		},
	},
	{
		Fault:   "a partition in flight at a restart, a compartment that is deleted, a region or compartment that is new",
		Promise: "no gap: what is new begins where the last listing before it stood, what is deleted is read while it has history",
		Own: map[string][]Proof{
			"oci_audit": {
				audit + "TestLaterCompartmentBeginsAtTheLastListingBeforeIt", audit + "TestRegionSubscribedLaterIsReadWithoutARestart",
				audit + "TestDeletedCompartmentIsReadWhileItHasHistoryAndThenLeftAlone", collect + "TestNewPartitionBeginsAtTheLastListingThatDidNotShowIt",
			},
			"oci_logging":   {logging + "TestRegionSubscribedLaterIsSearchedWithoutARestart", logging + "TestPlacesAreQueriesInTheirRegions", collect + "TestNewPartitionBeginsAtTheLastListingThatDidNotShowIt"},
			"oci_streaming": {streaming + "TestLostReservationIsTakenUpAgainWithoutLoss", streaming + "TestPartitionThatIsNotThereIsRefused"},
		},
		Not: map[string]string{"oci_cloudguard": oneRegion},
	},
	{
		Fault:   "records of one minute, or one time, on both sides of a page, a window or a restart",
		Promise: "none is skipped: the saved boundary is a closed one",
		Shared:  []Proof{collect + "TestNothingIsLostAndWithoutACrashNothingRepeats", collect + "TestPositionWaitsForTheLastPage"},
		Own: map[string][]Proof{
			"oci_cloudguard": {collect + "TestSweepsReachBackToTheLastOneAndToEachOpenProblem"},
			"oci_logging":    {logging + "TestRecordsOfAWindowsVeryEndLeaveOnce", collect + "TestLastLookAndWhatFollowsItKeepTheirIdsApart"},
		},
	},
	{
		Fault:   "secrets in logs at any level, config dumps, metrics, dead letters",
		Promise: "key, passphrase, token, fingerprint and Authorization header appear nowhere",
		Shared: []Proof{
			whole + "TestSecretsAppearNowhere", whole + "TestCanariesAreFound", whole + "TestEveryWayToAuthenticateReadsAllAndShowsNoSecret",
			client + "TestAuthShowsNoSecret", client + "TestTextThatIsNoTokenIsRefusedAndNotRepeated", fields + "TestSecretsAreMarkedAsSecret",
		},
		Own: map[string][]Proof{
			"oci_audit": {audit + "TestSecretsStandInNoLogAndNoMessage"}, "oci_logging": {logging + "TestSecretsStandInNoLogAndNoMessage"},
			"oci_streaming": {streaming + "TestSecretsStandInNoLogAndNoMessage"},
		},
	},
	{
		Fault:   "TLS: expired, wrong host, self-signed, old versions, a private authority",
		Promise: "refused, unless the authority is configured; nothing is skipped in silence",
		Shared:  []Proof{client + "TestOnlyTrustedServersAreSpokenTo", client + "TestClearTextIsNotTakenForTLS", client + "TestTLSFieldsThatCannotWorkAreRefused"},
	},
	{
		Fault:   "key files: readable by all, missing, with a wrong passphrase, without newlines, under ~",
		Promise: "one sentence each that says what, why and what to do, never the key; newlines are repaired",
		Shared: []Proof{
			whole + "TestWhatIsWrongWithTheCredentialsIsSaidInOneSentence", client + "TestKeyFileThatEverybodyMayReadIsRefused",
			client + "TestBadKeysSayWhatIsWrongAndNeverTheKey", client + "TestKeysThatLostTheirNewlinesAreRepaired", client + "TestProfilesAreReadAsOraclesToolsDo",
		},
	},
	{
		Fault:   "a backfill of a year beside the live input, and a kill in it",
		Promise: "both go on, the live one stays in time, a kill costs at most a window for each worker",
		Own: map[string][]Proof{
			"oci_audit": {
				audit + "TestLiveInputStaysInTimeBesideABackfillOfAYear", audit + "TestKillOfABackfillCostsAWindowForEachWorker",
				audit + "TestBackfillOfThirtyDaysUsesUpItsRate", whole + "TestBackfillIsKilledBesideALivePipelineOfTheSameConfig",
			},
			"oci_logging": {logging + "TestBackfillAndLiveSearchOfAProcessShareItsCache", logging + "TestNoRecordOfABackfillLiesBelowTheWatermarkWhenItLeaves", logging + "TestNoSearchSpansMoreThanFourteenDays"},
		},
		Not:     map[string]string{"oci_cloudguard": noHistory, "oci_streaming": "a stream keeps a week at most"},
		Figures: []string{"backfill"},
	},

	// Mistakes that other collectors were found to make.
	{
		Fault:   "a buffer that is full while the cursor moves",
		Promise: "the cursor moves with acks only",
		Shared:  []Proof{fields + "TestOutletHoldsNoMoreThanItsLimit"},
		Own: map[string][]Proof{
			"oci_audit": {audit + "TestOutputThatIsDownPausesTheSource"}, "oci_logging": {logging + "TestOutputThatIsDownPausesTheSource"},
			"oci_cloudguard": {guard + "TestSweepIsRememberedOnlyAfterItsAcks"}, "oci_streaming": {streaming + "TestUnackedPageIsNotCommitted"},
		},
	},
	{
		Fault:   "a record that cannot be decoded is skipped",
		Promise: "it leaves flagged, byte for byte, and is counted",
		Shared:  []Proof{matrix, whole + "TestMalformedItemsGoToTheDeadLetters"},
	},
	{
		Fault:   "the checkpoint of a backfill is saved before what it covers is delivered",
		Promise: "a window is saved when all of it is acked",
		Shared:  []Proof{collect + "TestPositionWaitsForContiguousAcks", collect + "TestPositionWaitsForTheLastPage"},
		Own:     map[string][]Proof{"oci_streaming": {streaming + "TestUnackedPageIsNotCommitted"}},
	},
	{
		Fault:   "records that share a time are skipped after a restart",
		Promise: "boundaries are closed, ids tell what was delivered",
		Shared:  []Proof{collect + "TestNothingIsLostAndWithoutACrashNothingRepeats"},
		Own:     map[string][]Proof{"oci_logging": {logging + "TestRecordsOfAWindowsVeryEndLeaveOnce"}},
	},
	{
		Fault:   "two saves that overtake each other move the position back",
		Promise: "one save of a position at a time, in order",
		Shared:  []Proof{collect + "TestNothingIsLostAndWithoutACrashNothingRepeats", fields + "TestAckIsToldOnce"},
	},
	{
		Fault:   "acks out of order are committed beyond a gap",
		Promise: "the position waits for the oldest unacked batch",
		Own: map[string][]Proof{
			"oci_audit":      {audit + "TestUnackedBatchKeepsCursorWhileLaterOnesAreAcked"},
			"oci_cloudguard": {collect + "TestOnlyAckedProblemsAreRemembered"},
			"oci_logging":    {logging + "TestUnackedBatchKeepsCursorWhileLaterOnesAreAcked"},
			"oci_streaming":  {streaming + "TestUnackedPageIsNotCommitted"},
		},
	},
	{
		Fault:   "a commit after the partition went to another instance",
		Promise: "it is not made; what was not committed comes again to the other",
		Own:     map[string][]Proof{"oci_streaming": {streaming + "TestLostReservationIsTakenUpAgainWithoutLoss", streaming + "TestTwoInstancesLoseNothingThoughOneIsKilled"}},
		Not: map[string]string{
			"oci_audit": "its partitions belong to one process", "oci_cloudguard": "it has one list", "oci_logging": "its partitions belong to one process",
		},
	},
	{
		Fault:   "inputs that share a table of checkpoints without a name of their own",
		Promise: "the second is refused",
		Own: map[string][]Proof{
			"oci_audit": {audit + "TestTwoInputsOnOnePositionAreRefused"}, "oci_cloudguard": {whole + "TestTwoInputsOnOnePositionAreRefused"},
			"oci_logging": {logging + "TestTwoInputsOnOnePositionAreRefused"}, "oci_streaming": {streaming + "TestTwoInputsOfOneProcessDoNotShareAPosition"},
		},
	},
	{
		Fault:   "a position that is older than what Oracle keeps",
		Promise: "what is lost is said aloud, with its times",
		Own: map[string][]Proof{
			"oci_audit": {collect + "TestTooOldPositionSaysWhatIsLost"}, "oci_logging": {collect + "TestTooOldPositionSaysWhatIsLost"},
			"oci_streaming": {streaming + "TestMessagesThatWereDeletedUnreadAreCountedAloud"},
		},
		Not: map[string]string{"oci_cloudguard": "its problems are kept, and known open ones are asked for by name"},
	},
	{
		Fault:   "one rejected batch that makes the input reconnect for ever",
		Promise: "it is sent again, and the rest goes on",
		Own: map[string][]Proof{
			"oci_audit": {audit + "TestNackKeepsCursor"}, "oci_cloudguard": {guard + "TestNackSendsAgain"},
			"oci_logging": {logging + "TestNackKeepsCursor"}, "oci_streaming": {streaming + "TestNackKeepsTheCommit"},
		},
	},
	{
		Fault:   "polls that fail again and again while the input says that it is ready",
		Promise: "/ready turns red and names the input",
		Shared:  []Proof{whole + "TestReadyFollowsThePolls"},
		Own: map[string][]Proof{
			"oci_audit": {audit + "TestInputIsNotConnectedWhileNothingCanBeRead"}, "oci_cloudguard": {guard + "TestInputIsNotConnectedWhileNothingCanBeRead"},
			"oci_logging": {logging + "TestInputIsNotConnectedWhileNothingCanBeRead"}, "oci_streaming": {streaming + "TestWhatIsMissingIsSaidAndTheInputGoesRed"},
		},
	},
}
