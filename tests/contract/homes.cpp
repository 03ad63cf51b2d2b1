#include "tests/contract/home.hpp"

#include <algorithm>
#include <stdexcept>

namespace lungo::contract {

const std::vector<HomeKind>& homes() {
  static const std::map<std::string, Refusal, std::less<>> simulated{
      {"FileRanges.HoldWhatReadReturns", {Errc::unsupported, "this storage has no file descriptors"}},
  };
  static const std::map<std::string, Refusal, std::less<>> in_memory{
      {"Appenders.TakeABatchThatAProducerHasFinished", {Errc::unsupported, "takes no batches of producers"}},
      {"Conditions.BelowTheStartAreHistoryTrimmed", {Errc::unsupported, "can't delete records"}},
      {"FileRanges.HoldWhatReadReturns", {Errc::unsupported, "can't tell where its records lie in a file"}},
      {"Positions.OfATopicThatWasMadeAnewHaveDiverged", {Errc::unsupported, "can't delete topics"}},
      {"Memberships.TellOfPartitionsThatWereAddedWhenTheirTopicIsJoinedAgain", {Errc::unsupported, "can't add partitions"}},
      {"Positions.BelowTheStartAreHistoryTrimmed", {Errc::unsupported, "can't delete records"}},
      {"SpreadRows.KeepWhatTheLogHasTrimmed", {Errc::unsupported, "can't delete records"}},
      {"Topics.ChangeTheirSettings", {Errc::unsupported, "can't change settings"}},
      {"Topics.AreDeletedAndTheirNamesAreFree", {Errc::unsupported, "can't delete topics"}},
      {"Topics.GrowUnlessTheyHoldStreams", {Errc::unsupported, "can't add partitions"}},
      {"Topics.LoseTheirOldestRecordsWhereAskedTo", {Errc::unsupported, "can't delete records"}},
  };
  static const std::map<std::string, Refusal, std::less<>> on_kafka{
      {"Appends.LieSideBySide", {std::nullopt, "each transaction leaves a hole of one offset"}},
      {"Appends.KeepTheTime0", {Errc::invalid_argument, "the time 0"}},
      {"Appenders.TakeABatchThatAProducerHasFinished", {Errc::unsupported, "takes no batches of producers"}},
      {"Appends.MayWaitUntilTheyAreOnDisk", {Errc::unsupported, "does not tell when a record is on disk"}},
      {"Appends.AreCommittedWhenOnDiskUnlessTheTopicSaysOtherwise",
       {std::nullopt, "every topic is `isr`, as Kafka acknowledges before it syncs"}},
      {"Topics.AreToldHowManyPartitionsTheyHave", {std::nullopt, "0 asks for as many as `KafkaOptions` says"}},
      {"Positions.AboveWhatTheirEpochWroteHaveDiverged",
       {std::nullopt, "the epoch is 0; only a stored position proves its history"}},
      {"Topics.ChangeTheirSettings", {Errc::unsupported, "kafka-configs.sh"}},
  };
  const std::string embedded = "`open_local()`: a data directory of this process, on a real disk and on a simulated one";
  const std::string memory = "what Lungo's own tests of the framework run on; it goes with its object, and a restart is played";
  const std::string kafka =
      "`connect_kafka()`: topics of a cluster of Apache Kafka, seen with three brokers and three replicas";
  static const std::vector<HomeKind> kinds{
      {"directory", "embedded", embedded, maker_of("directory"), {}},
      {"simulated", "embedded", embedded, maker_of("simulated"), simulated},
      {"kafka", "Apache Kafka", kafka, maker_of("kafka"), on_kafka},
      {"memory", "in memory", memory, maker_of("memory"), in_memory},
  };
  return kinds;
}

const HomeKind& home_named(std::string_view name) {
  const auto found = std::ranges::find(homes(), name, &HomeKind::name);
  if (found == homes().end()) throw std::invalid_argument("no home " + std::string(name));
  return *found;
}

std::vector<std::string> home_names() {
  std::vector<std::string> names;
  for (const HomeKind& kind : homes()) {
    if (kind.make) names.push_back(kind.name);
  }
  return names;
}

}  // namespace lungo::contract
