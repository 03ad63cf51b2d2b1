#include "click.hpp"

namespace lungo::bench {

Clicked sample_click() {
  Clicked click;
  click.url = "/products/espresso-machines/lever?colour=red&sort=price";
  click.referrer = "https://www.example.org/search?q=lever+espresso+machine";
  click.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0";
  click.visitor = "2f6a1c0e9b4d47d8a1c5e0f7b3a29c11";
  click.occurred_ms = 1709200000000;
  click.status = 200;
  click.width = 1920;
  click.height = 1080;
  click.campaign = "spring-sale";
  click.basket = {{"LEV-0042", 1, 649.0}, {"CUP-0007", 4, 9.5}, {"BEANS-1KG", 2, 24.9}};
  return click;
}

}  // namespace lungo::bench
