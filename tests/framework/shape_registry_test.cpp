#include <lungo/framework/shape_registry.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include <lungo/framework/codec.hpp>
#include "tests/support/memory_event_log.hpp"
#include "tests/support/simulation.hpp"

namespace shape_registry_tests {

using namespace lungo;

struct First {
  std::int64_t number = 0;
};
struct Second {
  std::string text;
};

const TopicPartition kShapes{std::string(kShapesTopic), PartitionId{0}};

void append_row(EventLog& log, BytesView key, BytesView value) {
  AppendRequest request{.to = kShapes, .records = {}, .condition = {}, .since = {}};
  ASSERT_TRUE(request.records.add({log.ports().clock.now(), key, value, {}}));
  ASSERT_TRUE(append_wait(log, std::move(request)));
}

Result<void> publish(ShapeRegistry& registry, const Shape& shape) {
  const Shape* const one = &shape;
  return registry.publish({&one, 1});
}

TEST(ShapeRegistry, ABadRowIsAnErrorForItsOwnHashOnly) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<test::MemoryEventLog>(simulation.ports());
  ShapeRegistry writer{log};
  ASSERT_TRUE(publish(writer, shape_of<First>()));
  const Shape& second = shape_of<Second>();
  append_row(*log, BytesView{second.hash()}, as_bytes("no shape"));      // right key, no shape
  append_row(*log, as_bytes("no hash"), shape_of<First>().canonical());  // no key
  ShapeHash other = second.hash();
  other[0] ^= std::byte{1};
  append_row(*log, BytesView{other}, shape_of<First>().canonical());  // a shape, another one's key

  ShapeRegistry reader{log};
  EXPECT_TRUE(reader.find(shape_of<First>().hash()));
  EXPECT_EQ(reader.find(second.hash()).error(), Errc::undecodable);
  EXPECT_EQ(reader.find(other).error(), Errc::undecodable);
  EXPECT_EQ(reader.find(ShapeHash{}).error(), Errc::unknown_shape);

  ASSERT_TRUE(publish(writer, second));
  EXPECT_TRUE(reader.find(second.hash())) << "a good row behind the bad one";
}

/// While a shape is on its way, somebody else asks for one that is known.
class AskingLog : public test::MemoryEventLog {
 public:
  using MemoryEventLog::MemoryEventLog;
  void append(AppendRequest request, Completion completion) override {
    if (registry != nullptr && request.to == kShapes) {
      found = std::async(std::launch::async, [this] { return registry->find(shape_of<First>().hash()).has_value(); });
      answered = found.wait_for(std::chrono::seconds{5}) == std::future_status::ready;
    }
    MemoryEventLog::append(std::move(request), std::move(completion));
  }
  ShapeRegistry* registry = nullptr;
  std::future<bool> found;
  bool answered = false;
};

TEST(ShapeRegistry, NobodyWaitsForAnothersShapeToBeCommitted) {
  test::Simulation simulation{1};
  const auto log = std::make_shared<AskingLog>(simulation.ports());
  ShapeRegistry registry{log};
  ASSERT_TRUE(publish(registry, shape_of<First>()));
  log->registry = &registry;
  ASSERT_TRUE(publish(registry, shape_of<Second>()));
  EXPECT_TRUE(log->answered);
  EXPECT_TRUE(log->found.get());
  EXPECT_TRUE(registry.find(shape_of<Second>().hash()));
}

}  // namespace shape_registry_tests
