# Install and export: after `cmake --install` another project says find_package(lungo) and links lungo::log, lungo::framework or
# lungo::projections; find_package(lungo COMPONENTS kafka) and lungo::kafka, where that was built. The programs are installed
# beside each other.
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lungo)

install(TARGETS lungo_log lungo_framework lungo_projections EXPORT lungoTargets FILE_SET HEADERS)
if(LUNGO_WITH_KAFKA)
  install(TARGETS lungo_kafka EXPORT lungoTargets FILE_SET HEADERS)
endif()
install(TARGETS lungo lungo-log lungo-replay)
install(EXPORT lungoTargets NAMESPACE lungo:: DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lungoConfig.cmake.in ${PROJECT_BINARY_DIR}/lungoConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lungoConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/lungoConfig.cmake ${PROJECT_BINARY_DIR}/lungoConfigVersion.cmake DESTINATION ${package_folder})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
