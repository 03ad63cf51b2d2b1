#include <boost/archive/binary_iarchive.hpp>
#include <boost/archive/binary_oarchive.hpp>
#include <boost/iostreams/device/array.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/stream_buffer.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>

#include "click.hpp"

namespace boost::serialization {

template <class Archive, class... Field>
void serialize_each(Archive& archive, Field&... field) {
  (static_cast<void>(archive & field), ...);
}

template <class Archive>
void serialize(Archive& archive, lungo::bench::Item& item, unsigned) {
  serialize_each(archive, item.sku, item.quantity, item.price);
}

template <class Archive>
void serialize(Archive& archive, lungo::bench::Clicked& click, unsigned) {
  serialize_each(archive, click.url, click.referrer, click.user_agent, click.visitor, click.occurred_ms, click.status,
                 click.width, click.height, click.bot, click.basket);
  bool has_campaign = click.campaign.has_value();  // 1.81 knows no std::optional
  serialize_each(archive, has_campaign);
  if (!has_campaign) click.campaign.reset();
  if (has_campaign && !click.campaign) click.campaign.emplace();
  if (has_campaign) serialize_each(archive, *click.campaign);
}

}  // namespace boost::serialization

namespace lungo::bench {

void boost_encode(const Clicked& click, std::string& out) {
  out.clear();
  boost::iostreams::stream_buffer<boost::iostreams::back_insert_device<std::string>> stream{
      boost::iostreams::back_inserter(out)};
  boost::archive::binary_oarchive archive{stream, boost::archive::no_header};
  archive << click;
}

void boost_decode(const std::string& bytes, Clicked& out) {
  boost::iostreams::stream_buffer<boost::iostreams::array_source> stream{bytes.data(), bytes.size()};
  boost::archive::binary_iarchive archive{stream, boost::archive::no_header};
  archive >> out;
}

}  // namespace lungo::bench
